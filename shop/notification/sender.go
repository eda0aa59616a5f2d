package notification

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"mime"
	"net"
	"net/smtp"
	"net/textproto"
	"net/url"
	"strings"
	"time"

	"github.com/leatdev/leat"
)

// CustomerFull begins the ids of customers whose mailbox the sandbox finds full.
const CustomerFull = "full-"

// sandbox takes notices and tells nobody. As with the sandbox of payment, the customer says how it
// behaves: a mailbox that is full takes a notice when it has refused it a few times.
type sandbox struct{ refusals int64 }

var errFull = errors.New("the mailbox is full")

func (sandbox) Channel() string { return "sandbox" }

func (s sandbox) Send(_ context.Context, n Notice) error {
	if strings.HasPrefix(n.CustomerID, CustomerFull) && n.Attempt <= s.refusals {
		return errFull
	}
	return nil
}

// SMTP sends notices by mail.
type SMTP struct {
	host, addr string
	auth       smtp.Auth
	implicit   bool // TLS from the first byte
	from       string
	domain     string // of customers whose id is no address
}

// NewSMTP makes a sender of a URL: smtp://user:password@host:port?from=shop@example.org, or smtps
// for TLS from the first byte. With smtp TLS is begun where the server offers it, and a password is
// not sent without TLS except to this machine. The mail of a customer whose id is no mail address goes
// to ID@DOMAIN, with DOMAIN from ?domain=, otherwise from the sender's address.
func NewSMTP(text string) (*SMTP, error) {
	u, err := url.Parse(text)
	if err != nil {
		return nil, errors.New("mail server: not a URL: write smtp://user:password@host:port?from=shop@example.org") // err would show the password
	}
	if u.Scheme != "smtp" && u.Scheme != "smtps" || u.Hostname() == "" {
		return nil, errors.New("mail server: write smtp://user:password@host:port?from=shop@example.org, or smtps://")
	}
	s := &SMTP{host: u.Hostname(), implicit: u.Scheme == "smtps", from: u.Query().Get("from"), domain: u.Query().Get("domain")}
	at := strings.LastIndexByte(s.from, '@')
	if at < 1 || strings.ContainsAny(s.from, "\r\n<> ") {
		return nil, fmt.Errorf("mail server: from is %q: add ?from=shop@example.org", s.from)
	}
	if s.domain == "" {
		s.domain = s.from[at+1:]
	}
	port := u.Port()
	if port == "" {
		port = map[bool]string{false: "587", true: "465"}[s.implicit]
	}
	s.addr = net.JoinHostPort(s.host, port)
	if password, ok := u.User.Password(); ok {
		s.auth = smtp.PlainAuth("", u.User.Username(), password, s.host)
	}
	return s, nil
}

// Channel is Sender's.
func (s *SMTP) Channel() string { return "smtp" }

// Send is Sender's. Until a server knows whom a mail is for, what fails is nobody's mail: the way is
// closed for all. Then its answer is about this one: refused for good (5xx), or not now.
func (s *SMTP) Send(ctx context.Context, n Notice) error {
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", s.addr)
	if err != nil {
		return leat.Unavailable(fmt.Errorf("reach mail server: %w", err))
	}
	defer conn.Close()
	if deadline, ok := ctx.Deadline(); ok {
		_ = conn.SetDeadline(deadline) // a TCP connection takes deadlines
	}
	if s.implicit {
		conn = tls.Client(conn, &tls.Config{ServerName: s.host, MinVersion: tls.VersionTLS12})
	}
	c, err := smtp.NewClient(conn, s.host)
	if err != nil {
		return leat.Unavailable(fmt.Errorf("greet mail server: %w", err))
	}
	defer c.Close()
	if err := s.begin(c); err != nil {
		return leat.Unavailable(fmt.Errorf("begin mail: %w", err))
	}
	if err := s.hand(c, n); err != nil {
		err = fmt.Errorf("send mail: %w", err)
		if answer, ok := errors.AsType[*textproto.Error](err); ok && answer.Code >= 500 {
			return leat.Permanent(err)
		}
		return err
	}
	_ = c.Quit() // the mail is in the server's hands
	return nil
}

// begin goes as far as is the same for every mail.
func (s *SMTP) begin(c *smtp.Client) error {
	if ok, _ := c.Extension("STARTTLS"); ok && !s.implicit {
		if err := c.StartTLS(&tls.Config{ServerName: s.host, MinVersion: tls.VersionTLS12}); err != nil {
			return err
		}
	}
	if s.auth != nil {
		if err := c.Auth(s.auth); err != nil {
			return err
		}
	}
	return c.Mail(s.from)
}

// hand gives the server one customer's mail.
func (s *SMTP) hand(c *smtp.Client, n Notice) error {
	to := s.address(n.CustomerID)
	if err := c.Rcpt(to); err != nil {
		return err
	}
	w, err := c.Data()
	if err != nil {
		return err
	}
	if _, err := w.Write([]byte(s.message(n, to, time.Now()))); err != nil {
		return err
	}
	return w.Close()
}

// address is where a customer's mail goes. What can't stand in an address is left out.
func (s *SMTP) address(customer string) string {
	clean := strings.Map(func(r rune) rune {
		if r <= ' ' || r > '~' || strings.ContainsRune(`<>()[]\,;:"`, r) {
			return -1
		}
		return r
	}, customer)
	if strings.Count(clean, "@") == 1 {
		return clean
	}
	return strings.ReplaceAll(clean, "@", "") + "@" + s.domain
}

// message is the mail. A mail that is sent again has the same Message-ID.
func (s *SMTP) message(n Notice, to string, now time.Time) string {
	return "From: " + s.from + "\r\nTo: " + to +
		"\r\nSubject: " + mime.QEncoding.Encode("utf-8", n.Subject) +
		"\r\nDate: " + now.UTC().Format(time.RFC1123Z) +
		"\r\nMessage-ID: <" + n.OrderID + "." + n.Reason + "@" + s.domain + ">" +
		"\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n" +
		strings.ReplaceAll(n.Text, "\n", "\r\n") + "\r\n"
}
