package notification

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"mime"
	"net"
	"net/smtp"
	"net/url"
	"strings"
	"time"
)

// logSender tells the log that a customer would be told; not what, which is the customer's.
type logSender struct{ log *slog.Logger }

func (s logSender) Channel() string { return "log" }

func (s logSender) Send(ctx context.Context, n Notice) error {
	s.log.DebugContext(ctx, "notice", "order", n.OrderID, "reason", n.Reason)
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

// Send is Sender's.
func (s *SMTP) Send(ctx context.Context, n Notice) error {
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", s.addr)
	if err != nil {
		return fmt.Errorf("reach mail server: %w", err)
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
		return fmt.Errorf("greet mail server: %w", err)
	}
	defer c.Close()
	if err := s.converse(c, n); err != nil {
		return fmt.Errorf("send mail: %w", err)
	}
	_ = c.Quit() // the mail is in the server's hands
	return nil
}

func (s *SMTP) converse(c *smtp.Client, n Notice) error {
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
	to := s.address(n.CustomerID)
	if err := c.Mail(s.from); err != nil {
		return err
	}
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
