package spec

import (
	"reflect"
	"slices"

	"mailsetup/internal/tomltext"
)

// valueOf returns the place for the value of a key, nil if there is no such key.
func (raw *domainText) valueOf(path string) any {
	at, known := domainKeys[path]
	if !known {
		return nil
	}
	field := reflect.ValueOf(raw).Elem().FieldByIndex(at)
	if field.Kind() == reflect.Struct {
		return tomltext.Table{}
	}
	return field.Addr().Interface()
}

// domainKeys has for each key of a domain's file where its value is in domainText. A list
// of tables is for the decoder.
var domainKeys = keysOf(map[string][]int{}, "", nil, reflect.TypeFor[domainText]())

func keysOf(all map[string][]int, prefix string, at []int, of reflect.Type) map[string][]int {
	for i := range of.NumField() {
		f, index := of.Field(i), append(slices.Clone(at), i)
		key := prefix + f.Tag.Get("toml")
		switch {
		case f.Anonymous:
			keysOf(all, prefix, index, f.Type)
		case f.Type.Kind() == reflect.Struct:
			all[key] = index
			keysOf(all, key+".", index, f.Type)
		case f.Type.Kind() != reflect.Interface:
			all[key] = index
		}
	}
	return all
}
