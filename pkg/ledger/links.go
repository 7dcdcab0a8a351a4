package ledger

// Link is of a certificate and of one that renews it, by the names of their records.
type Link struct{ Earlier, Renewal string }

// Links finds, in records in any order, those that do not say that they were renewed. It keeps names alone,
// so that the ledger does not have to be in memory. The zero value is ready.
type Links struct {
	// renewals are the records that renew another, by the name of that.
	renewals map[string]string
	// open are the records that do not say that they were renewed.
	open map[string]bool
}

// Add takes in a record.
func (l *Links) Add(record *ClientCertificate) {
	if l.open == nil {
		l.renewals, l.open = map[string]string{}, map[string]bool{}
	}
	if record.Status.SupersededBy == "" {
		l.open[record.Name] = true
	}
	if earlier := record.Supersedes(); earlier != "" {
		l.renewals[earlier] = record.Name
	}
}

// Missing are the records that were renewed by another of those that were taken in, and do not say so.
func (l *Links) Missing() (missing []Link) {
	for earlier, renewal := range l.renewals {
		if l.open[earlier] {
			missing = append(missing, Link{earlier, renewal})
		}
	}
	return missing
}

// Supersedes is the name of the record of the certificate that a verified certificate renews; "" if it renews
// none. A certificate that is said to renew itself was stored by somebody who can write the status of requests.
func (c *ClientCertificate) Supersedes() string {
	if c.Spec.Renews == nil || !c.Spec.Verified || c.Spec.Renews.Certificate == c.Name {
		return ""
	}
	return c.Spec.Renews.Certificate
}

// Generations puts records in groups: what renews a record of the same records is in a later group than that.
func Generations(records []*ClientCertificate) (generations [][]*ClientCertificate) {
	byName := make(map[string]*ClientCertificate, len(records))
	for _, record := range records {
		byName[record.Name] = record
	}
	depths := make(map[string]int, len(records))
	for _, record := range records {
		var chain []*ClientCertificate
		depth := -1
		for one := record; one != nil; one = byName[one.Supersedes()] {
			if known, isKnown := depths[one.Name]; isKnown {
				depth = known
				break
			}
			// In a ring, which only somebody who can write the status of requests can make, any is the first.
			depths[one.Name] = depth
			chain = append(chain, one)
		}
		for i := len(chain) - 1; i >= 0; i-- {
			depth++
			depths[chain[i].Name] = depth
			if depth == len(generations) {
				generations = append(generations, nil)
			}
			generations[depth] = append(generations[depth], chain[i])
		}
	}
	return generations
}
