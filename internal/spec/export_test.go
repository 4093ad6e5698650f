package spec

import (
	"reflect"
	"strings"
)

// KeysOfHost and KeysOfDomain are the keys that the files may have, as paths.
func KeysOfHost() []string { return keysIn(reflect.TypeFor[hostText](), "") }

// KeysOfDomain are those of a domain's file.
func KeysOfDomain() []string { return keysIn(reflect.TypeFor[domainText](), "") }

func keysIn(of reflect.Type, table string) []string {
	var all []string
	for i := range of.NumField() {
		f := of.Field(i)
		name := f.Tag.Get("toml")
		switch {
		case f.Anonymous:
			all = append(all, keysIn(f.Type, table)...)
		case f.Type.Kind() == reflect.Struct:
			all = append(all, keysIn(f.Type, name+".")...)
		default:
			all = append(all, strings.TrimPrefix(table+name, "."))
		}
	}
	return all
}

// WrittenKeys are the keys that a new file of a host and of a domain has, or could have.
func WrittenKeys() (host, domain []string) {
	for _, f := range hostFields(Host{}) {
		host = append(host, f.Path())
	}
	for _, f := range domainFields(Domain{}) {
		domain = append(domain, f.Path())
	}
	return host, domain
}
