package wholefile

import (
	"os"
	"path/filepath"
	"sync"
)

// Directories remembers what was done to the directories that files are written to. Writers
// of many files share one: each directory is searched once for what killed processes left,
// and is synced once for files that are written at the same time. The zero value is ready,
// for a single file, too.
type Directories struct {
	// tidied are the directories that were searched.
	tidied sync.Map
	// syncs are the syncs of directories, by their paths.
	syncs sync.Map
}

// tidy removes the temporary files in a directory whose process has ended, once.
func (d *Directories) tidy(directory string) {
	if _, done := d.tidied.LoadOrStore(directory, true); !done {
		RemoveAbandoned(directory)
	}
}

// Sync makes the name of a new file durable. Some file systems cannot sync a
// directory and need not: an error is not a failure.
func (d *Directories) Sync(path string) error {
	directory := filepath.Dir(path)
	entry, _ := d.syncs.LoadOrStore(directory, &DirectorySync{})
	entry.(*DirectorySync).Run(func() {
		if opened, err := os.Open(directory); err == nil {
			_ = opened.Sync()
			_ = opened.Close()
		}
	})
	return nil
}

// DirectorySync syncs one directory for all who wait for it at the same time: a sync that
// begins after a name was made makes it durable, no matter who started it. The files of a
// thousand users are in one opened.
type DirectorySync struct {
	mutex sync.Mutex
	// next is the sync that has not begun yet; nil if nobody waits for one.
	next *sync.Once
	// running lets one sync run at a time.
	running sync.Mutex
}

// Run returns when a sync has ended that began after it was called.
func (d *DirectorySync) Run(do func()) {
	d.mutex.Lock()
	if d.next == nil {
		d.next = &sync.Once{}
	}
	mine := d.next
	d.mutex.Unlock()
	mine.Do(func() {
		d.running.Lock()
		defer d.running.Unlock()
		// From here on, the next caller needs another one.
		d.mutex.Lock()
		d.next = nil
		d.mutex.Unlock()
		do()
	})
}
