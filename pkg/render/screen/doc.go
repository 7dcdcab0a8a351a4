// Package screen knows terminals: how wide they are, what a text takes on them, their colors, what
// has to be escaped, tables whose rows fit, and a line that changes.
//
// It promises that nothing is wider than a terminal that says its width, as far as texts can be
// cut, and that streams that are not terminals get texts whole, without color. It knows nothing of
// requests, users and contexts.
package screen
