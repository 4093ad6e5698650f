package state

import (
	"bytes"
	"crypto/sha256"
	"errors"
)

// Text is a content that is not held in memory, but made or read again each time: those
// of ten thousand files that one plan changes would be 34 MB.
type Text struct {
	Hash [sha256.Size]byte // of the content when the plan was made
	// Again returns the content. What has another hash meanwhile is an error of Bytes.
	Again func() ([]byte, error)
}

// Text returns the content of a file, made or held.
func (f File) Text() []byte {
	if f.Make != nil {
		return f.Make()
	}
	return f.Content
}

// Bytes returns the content of an object. It is an error if that is not held, and is not
// what it was.
func (o Object) Bytes() ([]byte, error) {
	if o.Text == nil {
		return o.Content, nil
	}
	b, err := o.Text.Again()
	if err == nil && sha256.Sum256(b) != o.Text.Hash {
		err = errors.New("a content is not what it was when the plan was made\nhint: run the command again")
	}
	return b, err
}

// Held returns the object with its content.
func (o Object) Held() (Object, error) {
	b, err := o.Bytes()
	o.Content, o.Text = b, nil
	return o, err
}

// Without returns the object with a text in place of its content.
func (o Object) Without(again func() ([]byte, error)) Object {
	o.Text, o.Content = &Text{o.Sum(), again}, nil
	return o
}

// Sum returns the SHA-256 of the content.
func (o Object) Sum() [sha256.Size]byte {
	if o.Text != nil {
		return o.Text.Hash
	}
	return sha256.Sum256(o.Content)
}

// SameContent reports whether two objects have the same content.
func (o Object) SameContent(p Object) bool {
	if o.Text == nil && p.Text == nil {
		return bytes.Equal(o.Content, p.Content)
	}
	return o.Sum() == p.Sum()
}
