package mastercf

// chrootField says whether a service runs in the queue directory, master(5).
const chrootField = 4

// Chrooted returns the services that run with the queue directory as their root. A
// service that leaves it open (-) does not, from Postfix 3.0 on.
func Chrooted(text string) (map[string]bool, error) {
	entries, err := parse(text)
	if err != nil {
		return nil, err
	}
	all := map[string]bool{}
	for _, e := range entries {
		if e.text(e.words()[chrootField]) == "y" {
			all[e.service.Name] = true
		}
	}
	return all, nil
}
