package registry

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"
)

// What registries agree on in their group, as Confluent's does.
const (
	protocolType = "sr"
	// protocolAll is spoken by the registries of all programs, protocolOurs by this one's alone: the
	// coordinator chooses the first that all members speak, so its choice says who is there.
	protocolAll  = "v0"
	protocolOurs = "leat-v0"
)

// member is how a registry presents itself to the group.
type member struct {
	Version  int    `json:"version"`
	Host     string `json:"host"`
	Port     int    `json:"port"`
	Eligible bool   `json:"master_eligibility"`
	Scheme   string `json:"scheme"`
	Leader   bool   `json:"leader"`
}

// choice is what the group's members are told of their choice.
type choice struct {
	Version int     `json:"version"`
	Error   int     `json:"error"`
	Master  *string `json:"master"` // its member id
	Who     *member `json:"master_identity"`
}

// errorTwins says that two members have one URL.
const errorTwins = 1

// identify reads the URL of a registry.
func identify(text string) (member, error) {
	u, err := url.Parse(text)
	if err != nil {
		return member{}, fmt.Errorf("read the advertised URL: %w", err)
	}
	port, err := strconv.ParseUint(cmp.Or(u.Port(), map[string]string{"http": "80", "https": "443"}[u.Scheme]), 10, 16)
	if err != nil || port == 0 || u.Hostname() == "" || u.Path != "" && u.Path != "/" {
		return member{}, fmt.Errorf("%q is no URL for other registries: want http://host:port", text)
	}
	return member{Version: 1, Host: u.Hostname(), Port: int(port), Eligible: true, Scheme: u.Scheme}, nil
}

// url is where the member is reached.
func (m member) url() string {
	host := m.Host
	if len(host) > 0 && slices.Contains([]byte(host), ':') {
		host = "[" + host + "]"
	}
	return cmp.Or(m.Scheme, "http") + "://" + host + ":" + strconv.Itoa(m.Port)
}

// choose finds who writes: of those who want to, the one with the lowest URL. members are the
// metadata, by member id. Where two have one URL nobody writes: commands could not be forwarded.
func choose(members map[string][]byte) (choice, error) {
	var errs []error
	v, seen := choice{Version: 1}, map[string]bool{}
	for id, metadata := range members {
		var m member
		if err := json.Unmarshal(metadata, &m); err != nil {
			errs = append(errs, fmt.Errorf("read what member %s says of itself: %w", id, err))
			continue
		}
		if seen[m.url()] {
			v.Error = errorTwins
		}
		seen[m.url()] = true
		if m.Eligible && (v.Who == nil || m.url() < v.Who.url()) {
			v.Master, v.Who = &id, &m
		}
	}
	if v.Error != 0 {
		v.Master, v.Who = nil, nil
	}
	return v, errors.Join(errs...)
}
