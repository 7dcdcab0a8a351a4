package main

import (
	"fmt"

	"github.com/csr-onboard/kubectl-csr-onboard/test/controlplane"
)

// growth is how time and memory grow with a team: from ten users to as many as there
// are requests in lists, tenfold each time.
func growth(b *bench) (*comparison, error) {
	c := &comparison{About: fmt.Sprintf("teams of 10 to %d users, each with a kubeconfig, where the controller manager makes %d calls a second", b.requests, raisedRate)}
	var sizes []int
	for users := 10; users <= b.requests; users *= 10 {
		figures, err := b.teamAlone(users)
		if err != nil {
			return nil, err
		}
		sizes = append(sizes, users)
		c.Figures = append(c.Figures, figures...)
	}
	if len(sizes) < 3 {
		return c, nil
	}
	for i := range c.Figures {
		c.Figures[i].Ratio = float64(c.Figures[i].Median) / float64(c.Figures[0].Median)
	}
	// What every process costs, whatever it does, is not counted to the users: the
	// growth is taken from a team that is large enough.
	last, before := len(sizes)-1, len(sizes)-2
	users := float64(sizes[last] - sizes[before])
	c.atMost(4096, float64(c.Figures[last].Memory-c.Figures[0].Memory)/float64(sizes[last]-sizes[0]),
		fmt.Sprintf("bytes of memory for each user between %d and %d", sizes[0], sizes[last]))
	perUser := (c.Figures[last].Median - c.Figures[before].Median).Seconds() / users
	c.atMost(1.1, perUser/(c.Figures[before].Median.Seconds()/float64(sizes[before])),
		fmt.Sprintf("time for each user beyond %d in that for each of the first %d", sizes[before], sizes[before]))
	if b.picture != "" {
		return c, drawGrowth(b.picture, sizes, c.Figures)
	}
	return c, nil
}

// teamAlone measures a team on a plane of its own, on which nothing was done before.
func (b *bench) teamAlone(users int) ([]figure, error) {
	_, env, stop, err := b.plane(controlplane.WithControllerManagerRate(raisedRate, 2*raisedRate))
	if err != nil {
		return nil, err
	}
	defer stop()
	return measureOnce(b.few(), b.team(env, users))
}
