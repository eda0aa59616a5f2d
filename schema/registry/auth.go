package registry

import (
	"bufio"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"

	"golang.org/x/crypto/argon2"
)

// right is what may be done to a subject; each includes those before it.
type right int

// The rights, by their names in the file of users.
const (
	read  right = iota + 1 // look at it
	write                  // register, and delete softly
	admin                  // delete for good, settings, modes
)

var rightNames = map[string]right{"read": read, "write": write, "admin": admin}

// grant gives a right on the subjects that a pattern matches.
type grant struct {
	right   right
	pattern *regexp.Regexp
	all     bool
}

type user struct {
	name   string
	hash   string // "": known by a certificate only
	grants []grant

	mu    sync.Mutex
	known [32]byte // of the password that was last found right
}

// Users are who may do what: by name and password, or by the common name of a client's certificate.
type Users struct {
	byName map[string]*user
	seal   []byte        // of the passwords that were found right, which are not kept
	slots  chan struct{} // bounds how many hashes are computed at a time
}

// ReadUsers reads a file of users, a line each: name, hash (see [HashPassword]) or - where only a
// certificate tells, and rights with patterns of subjects:
//
//	ann  $argon2id$v=19$m=19456,t=2,p=1$...$...  write=orders-*  read=*
//	ci   -                                       admin=*
//
// A star stands for any characters. Empty lines and those that begin with # are passed over.
func ReadUsers(r io.Reader) (*Users, error) {
	u := &Users{byName: map[string]*user{}, seal: make([]byte, 32), slots: make(chan struct{}, 2)}
	_, _ = rand.Read(u.seal) // never fails
	lines := bufio.NewScanner(r)
	for n := 1; lines.Scan(); n++ {
		fields := strings.Fields(lines.Text())
		if len(fields) == 0 || strings.HasPrefix(fields[0], "#") {
			continue
		}
		if err := u.add(fields); err != nil {
			return nil, fmt.Errorf("read users, line %d: %w", n, err)
		}
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("read users: %w", err)
	}
	if len(u.byName) == 0 {
		return nil, errors.New("read users: there are none")
	}
	return u, nil
}

func (u *Users) add(fields []string) error {
	if len(fields) < 3 {
		return errors.New("want a name, a hash or -, and rights such as read=*")
	}
	one := &user{name: fields[0]}
	if u.byName[one.name] != nil {
		return fmt.Errorf("user %q is there twice", one.name)
	}
	if fields[1] != "-" {
		if _, err := parseHash(fields[1]); err != nil {
			return err
		}
		one.hash = fields[1]
	}
	for _, text := range fields[2:] {
		name, pattern, ok := strings.Cut(text, "=")
		if !ok || rightNames[name] == 0 || pattern == "" {
			return fmt.Errorf("%q is no right: want read, write or admin, =, and a pattern of subjects", text)
		}
		parts := strings.Split(pattern, "*")
		for i := range parts {
			parts[i] = regexp.QuoteMeta(parts[i])
		}
		one.grants = append(one.grants, grant{rightNames[name], regexp.MustCompile(`(?s)\A` + strings.Join(parts, ".*") + `\z`), pattern == "*"})
	}
	u.byName[one.name] = one
	return nil
}

// may says whether the user has a right on a subject; for "" on all there are.
func (u *user) may(r right, subject string) bool {
	return slices.ContainsFunc(u.grants, func(g grant) bool {
		return g.right >= r && (g.all || subject != "" && g.pattern.MatchString(subject))
	})
}

// who is the user that a request comes from.
func (u *Users) who(r *http.Request) *user {
	if r.TLS != nil && len(r.TLS.VerifiedChains) > 0 {
		if one := u.byName[r.TLS.VerifiedChains[0][0].Subject.CommonName]; one != nil {
			return u.behind(one, r)
		}
	}
	name, password, ok := r.BasicAuth()
	one := u.byName[name]
	if !ok || len(password) > 1024 {
		return nil
	}
	if one == nil || one.hash == "" {
		u.matches(nobody, password) // takes as long as for somebody
		return nil
	}
	mac := hmac.New(sha256.New, u.seal)
	mac.Write([]byte(password))
	seal := [32]byte(mac.Sum(nil))
	one.mu.Lock()
	known := subtle.ConstantTimeCompare(one.known[:], seal[:]) == 1
	one.mu.Unlock()
	if known {
		return one
	}
	if !u.matches(one.hash, password) {
		return nil
	}
	one.mu.Lock()
	one.known = seal
	one.mu.Unlock()
	return one
}

// behind is the user for whom another registry forwards: who may do everything is believed.
func (u *Users) behind(one *user, r *http.Request) *user {
	if name := r.Header.Get(headerFor); name != "" && r.Header.Get("X-Forward") != "" && one.may(admin, "") {
		return u.byName[name]
	}
	return one
}

// nobody is the hash of no password.
const nobody = "$argon2id$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"

func (u *Users) matches(hash, password string) bool {
	h, err := parseHash(hash)
	if err != nil {
		return false
	}
	u.slots <- struct{}{}
	defer func() { <-u.slots }()
	return subtle.ConstantTimeCompare(h.of(password), h.sum) == 1
}

// argonHash is what a hash's text says.
type argonHash struct {
	memory, rounds uint32
	threads        uint8
	salt, sum      []byte
}

func (h argonHash) of(password string) []byte {
	return argon2.IDKey([]byte(password), h.salt, h.rounds, h.memory, h.threads, uint32(len(h.sum)))
}

// HashPassword makes the hash of a password for the file of users: argon2id with 19 MiB and two
// rounds.
func HashPassword(password string) string {
	h := argonHash{memory: 19 << 10, rounds: 2, threads: 1, salt: make([]byte, 16), sum: make([]byte, 32)}
	_, _ = rand.Read(h.salt) // never fails
	raw := base64.RawStdEncoding
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, h.memory, h.rounds, h.threads, raw.EncodeToString(h.salt), raw.EncodeToString(h.of(password)))
}

func parseHash(text string) (h argonHash, err error) {
	bad := fmt.Errorf("the hash of a password is none of argon2id's: write what `leat registry user` prints")
	fields := strings.Split(text, "$")
	if len(fields) != 6 || fields[1] != "argon2id" || fields[2] != "v="+strconv.Itoa(argon2.Version) {
		return h, bad
	}
	if n, err := fmt.Sscanf(fields[3], "m=%d,t=%d,p=%d", &h.memory, &h.rounds, &h.threads); n != 3 || err != nil {
		return h, bad
	}
	if h.memory < 8 || h.memory > 1<<20 || h.rounds < 1 || h.rounds > 64 || h.threads < 1 || h.threads > math.MaxInt8 {
		return h, bad
	}
	salt, err1 := base64.RawStdEncoding.DecodeString(fields[4])
	sum, err2 := base64.RawStdEncoding.DecodeString(fields[5])
	if err1 != nil || err2 != nil || len(salt) < 8 || len(sum) < 16 || len(sum) > 64 {
		return h, bad
	}
	h.salt, h.sum = salt, sum
	return h, nil
}

// admit finds out who asks, and whether he may.
func (c *call) admit() error {
	if c.cfg.Users == nil || c.route.pattern == "/" {
		return nil
	}
	if c.user = c.cfg.Users.who(c.r); c.user == nil {
		return fault(http.StatusUnauthorized, "HTTP 401 Unauthorized")
	}
	switch c.route.scope {
	case ofSubject:
		return c.need(c.route.right, true)
	case ofAll:
		if !c.user.may(c.route.right, "") {
			return denied()
		}
	}
	return nil
}

// need refuses what the caller has no right to, where asked says that he asks for it.
func (c *call) need(r right, asked bool) error {
	if c.user != nil && asked && !c.user.may(r, c.subject) {
		return denied()
	}
	return nil
}

func denied() *Fault { return fault(40301, "User is denied operation on this subject") }

// mayRead says whether the caller may see a subject.
func (c *call) mayRead(subject string) bool { return c.user == nil || c.user.may(read, subject) }

// mayReadID says whether the caller may see one of the subjects that a version's id stands for.
func (c *call) mayReadID(s *state, v *version) bool {
	return c.user == nil || slices.ContainsFunc(s.contexts[contextOf(v.subject)].ids[v.id], func(other *version) bool {
		return c.mayRead(other.subject)
	})
}
