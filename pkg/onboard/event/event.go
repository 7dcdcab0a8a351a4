// Package event says what an event is: something that happens while a use case runs, for a
// person to follow.
//
// The events themselves are declared in events.go of the package that emits them. Package
// render has the words for each, and a test fails for an event without words.
package event

// Event is something that happened. Each is a type that embeds Marker.
type Event interface{ isEvent() }

// Marker makes a type that embeds it an Event.
type Marker struct{}

func (Marker) isEvent() {}
