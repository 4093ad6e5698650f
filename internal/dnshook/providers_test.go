package dnshook_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// What the providers of these tests know of a zone is below; their answers are as their
// documentation has them, written from there. Nobody has tried the hooks on the real ones.

// stored is an RRset at a provider.
type stored struct {
	name, kind string // relative, "" for the zone itself
	ttl        int
	data       []string
}

// service is a provider with the zone example.org and a few others.
type service struct {
	*httptest.Server
	mu     sync.Mutex
	sets   []stored
	busy   []int  // seconds that the next requests are told to wait
	fails  string // the method and the end of the path of requests that are not answered any more
	wanted string // the header with the credential, NAME: VALUE
}

const token = "t0ken-t0ken-t0ken"

// serve starts a provider that answers by the function.
func serve(t *testing.T, credential string, answer func(s *service, w http.ResponseWriter, r *http.Request)) *service {
	t.Helper()
	s := &service{wanted: credential}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		defer s.mu.Unlock()
		name, value, _ := strings.Cut(s.wanted, ": ")
		w.Header().Set("Content-Type", "application/json")
		switch {
		case r.Header.Get(name) != value:
			reply(w, 401, map[string]any{"error": map[string]any{"code": "unauthorized", "message": "unable to authenticate"}})
		case s.fails != "" && strings.HasPrefix(s.fails, r.Method+" ") && strings.HasSuffix(r.URL.Path, s.fails[len(r.Method)+1:]):
			reply(w, 503, map[string]any{"detail": "Down."})
		case len(s.busy) > 0:
			w.Header().Set("Retry-After", strconv.Itoa(s.busy[0]))
			s.busy = s.busy[1:]
			reply(w, 429, map[string]any{"detail": "Request was throttled."})
		default:
			answer(s, w, r)
		}
	}))
	t.Cleanup(s.Close)
	return s
}

func reply(w http.ResponseWriter, code int, body any) {
	w.WriteHeader(code)
	if body != nil {
		_ = json.NewEncoder(w).Encode(body)
	}
}

func (s *service) find(name, kind string) int {
	return slices.IndexFunc(s.sets, func(x stored) bool { return x.name == name && x.kind == kind })
}

// put has an RRset be there, without data not.
func (s *service) put(x stored) {
	if i := s.find(x.name, x.kind); i >= 0 {
		s.sets = slices.Delete(s.sets, i, i+1)
	}
	if len(x.data) > 0 {
		s.sets = append(s.sets, x)
	}
}

// get is an RRset as one line.
func (s *service) get(name, kind string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if i := s.find(name, kind); i >= 0 {
		return fmt.Sprint(s.sets[i].ttl, " ", strings.Join(s.sets[i].data, " | "))
	}
	return ""
}

func body[T any](r *http.Request) (v T) {
	_ = json.NewDecoder(r.Body).Decode(&v)
	return v
}

// most is how many items come at a time.
const most = 3

// page is what a provider has from an item on.
func page(from, n int, item func(i int) any) []any {
	list := []any{}
	for i := from; i < min(n, from+most); i++ {
		list = append(list, item(i))
	}
	return list
}

// absolute is a name of example.org with its final dot.
func absolute(name string) string { return strings.TrimPrefix(name+".example.org.", ".") }

// powerDNS answers as https://doc.powerdns.com/authoritative/http-api/ says.
func powerDNS(s *service, w http.ResponseWriter, r *http.Request) {
	type record struct {
		Content  string `json:"content"`
		Disabled bool   `json:"disabled"`
	}
	type rrset struct {
		Name       string   `json:"name"`
		Type       string   `json:"type"`
		TTL        int      `json:"ttl,omitempty"`
		ChangeType string   `json:"changetype,omitempty"`
		Records    []record `json:"records"`
	}
	const zones = "/api/v1/servers/localhost/zones"
	switch r.Method + " " + r.URL.Path {
	case "GET " + zones:
		reply(w, 200, []map[string]any{{"id": "example.org.", "name": "example.org.", "kind": "Master"}, {"id": "a.example.", "name": "a.example.", "kind": "Slave"}})
	case "GET " + zones + "/example.org.":
		list := []rrset{}
		for _, x := range s.sets {
			set := rrset{Name: absolute(x.name), Type: x.kind, TTL: x.ttl}
			for _, d := range x.data {
				off, disabled := strings.CutPrefix(d, "#")
				set.Records = append(set.Records, record{off, disabled})
			}
			list = append(list, set)
		}
		reply(w, 200, map[string]any{"name": "example.org.", "kind": "Master", "soa_edit_api": "DEFAULT", "rrsets": list})
	case "PATCH " + zones + "/example.org.":
		for _, set := range body[struct{ RRsets []rrset }](r).RRsets {
			x := stored{name: strings.TrimSuffix(strings.TrimSuffix(set.Name, "example.org."), "."), kind: set.Type, ttl: set.TTL}
			for _, rec := range set.Records {
				if set.Type == "TXT" && !strings.HasPrefix(rec.Content, `"`) {
					reply(w, 422, map[string]any{"error": "Record " + set.Name + "/TXT '" + rec.Content + "': Parsing record content: Data field in DNS should start with quote"})
					return
				}
				x.data = append(x.data, map[bool]string{true: "#"}[rec.Disabled]+rec.Content)
			}
			s.put(x)
		}
		reply(w, 204, nil)
	default:
		reply(w, 404, map[string]any{"error": "Not Found"})
	}
}

// desec answers as https://desec.readthedocs.io/ says, but for pages of 3.
func desec(s *service, w http.ResponseWriter, r *http.Request) {
	type rrset struct {
		Subname string   `json:"subname"`
		Name    string   `json:"name,omitempty"`
		Type    string   `json:"type"`
		TTL     int      `json:"ttl"`
		Records []string `json:"records"`
	}
	pages := func(n int, item func(i int) any) {
		if !r.URL.Query().Has("cursor") && n > most {
			reply(w, 400, map[string]any{"detail": "Pagination required. You can query up to 3 items at a time."})
			return
		}
		from, _ := strconv.Atoi(strings.TrimPrefix(r.URL.Query().Get("cursor"), "c"))
		link := fmt.Sprintf(`<%s%s?cursor=>; rel="first"`, s.URL, r.URL.Path)
		if from+most < n {
			link += fmt.Sprintf(`, <%s%s?cursor=c%d>; rel="next"`, s.URL, r.URL.Path, from+most)
		}
		w.Header().Set("Link", link)
		reply(w, 200, page(from, n, item))
	}
	switch r.Method + " " + r.URL.Path {
	case "GET /domains/":
		pages(5, func(i int) any {
			return map[string]any{"name": []string{"a", "b", "c", "d", "example"}[i] + ".org", "minimum_ttl": 3600}
		})
	case "GET /domains/example.org/rrsets/":
		pages(len(s.sets), func(i int) any {
			x := s.sets[i]
			return rrset{x.name, absolute(x.name), x.kind, x.ttl, x.data}
		})
	case "PATCH /domains/example.org/rrsets/":
		list := body[[]rrset](r)
		for _, set := range list {
			if set.TTL < 3600 {
				reply(w, 400, []any{map[string]any{"ttl": []string{"Ensure this value is greater than or equal to 3600."}}})
				return
			}
			s.put(stored{set.Subname, set.Type, set.TTL, set.Records})
		}
		reply(w, 200, list)
	default:
		reply(w, 404, map[string]any{"detail": "Not found."})
	}
}

// hetzner answers as https://docs.hetzner.cloud/reference/cloud says, but for pages of 3.
func hetzner(s *service, w http.ResponseWriter, r *http.Request) {
	type record struct {
		Value   string `json:"value"`
		Comment string `json:"comment,omitempty"`
	}
	type rrset struct {
		Name    string   `json:"name"`
		Type    string   `json:"type"`
		TTL     *int     `json:"ttl"`
		Records []record `json:"records"`
	}
	pages := func(what string, n int, item func(i int) any) {
		at, _ := strconv.Atoi(r.URL.Query().Get("page"))
		var next *int
		if at*most < n {
			next = new(at + 1)
		}
		reply(w, 200, map[string]any{what: page((at-1)*most, n, item), "meta": map[string]any{"pagination": map[string]any{"page": at, "per_page": most, "next_page": next}}})
	}
	fails := func(code int, name, message string) {
		reply(w, code, map[string]any{"error": map[string]any{"code": name, "message": message}})
	}
	begun := func(code int) {
		reply(w, code, map[string]any{"action": map[string]any{"id": 7, "status": "running", "error": nil}})
	}
	const zone = "/zones/example.org"
	relative := func(name string) string { return strings.TrimPrefix(name, "@") }
	own := func(name string) string { return map[bool]string{true: "@"}[name == ""] + name }
	switch at := r.Method + " " + r.URL.Path; {
	case at == "GET /zones":
		pages("zones", 5, func(i int) any {
			return map[string]any{"id": i, "name": []string{"a", "b", "c", "d", "example"}[i] + ".org", "mode": map[bool]string{true: "secondary", false: "primary"}[i == 1], "ttl": 3600}
		})
	case at == "GET "+zone:
		reply(w, 200, map[string]any{"zone": map[string]any{"name": "example.org", "ttl": 3600, "mode": "primary"}})
	case at == "GET "+zone+"/rrsets":
		pages("rrsets", len(s.sets), func(i int) any {
			x := s.sets[i]
			set := rrset{Name: own(x.name), Type: x.kind, TTL: &x.ttl}
			for _, d := range x.data {
				value, comment, _ := strings.Cut(d, " ; ")
				set.Records = append(set.Records, record{value, comment})
			}
			return set
		})
	case at == "GET /actions/7":
		reply(w, 200, map[string]any{"action": map[string]any{"id": 7, "status": "success", "error": nil}})
	case at == "POST "+zone+"/rrsets":
		set := body[rrset](r)
		if s.find(relative(set.Name), set.Type) >= 0 {
			fails(409, "uniqueness_error", "rrset already exists")
			return
		}
		if set.TTL == nil || *set.TTL < 60 {
			fails(422, "invalid_input", "invalid input in field 'ttl'")
			return
		}
		x := stored{name: relative(set.Name), kind: set.Type, ttl: *set.TTL}
		for _, rec := range set.Records {
			x.data = append(x.data, strings.TrimSuffix(rec.Value+" ; "+rec.Comment, " ; "))
		}
		s.put(x)
		begun(201)
	default:
		f := strings.Split(strings.TrimPrefix(r.URL.Path, zone+"/rrsets/"), "/")
		if len(f) < 2 || s.find(relative(f[0]), f[1]) < 0 {
			fails(404, "not_found", "rrset not found")
			return
		}
		x := s.sets[s.find(relative(f[0]), f[1])]
		set := body[rrset](r)
		switch r.Method + " " + strings.Join(f[2:], "/") {
		case "DELETE ":
			x.data = nil
		case "POST actions/set_records":
			x.data = nil
			for _, rec := range set.Records {
				x.data = append(x.data, strings.TrimSuffix(rec.Value+" ; "+rec.Comment, " ; "))
			}
		case "POST actions/change_ttl":
			x.ttl = *set.TTL
		default:
			fails(404, "not_found", "not found")
			return
		}
		s.put(x)
		begun(201)
	}
}
