package notification_test

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/leatdev/leat"
	"github.com/leatdev/leat/shop/notification"
)

// mailServer takes one mail and returns the conversation's lines. refuse is a command and the code
// that it is refused with, such as "RCPT 550".
func mailServer(t *testing.T, refuse string) (addr string, lines chan []string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	refused, code, _ := strings.Cut(refuse, " ")
	lines = make(chan []string, 1)
	go func() { // ends with the connection
		conn, err := l.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		var got []string
		defer func() { lines <- got }()
		say := func(text string) { fmt.Fprintf(conn, "%s\r\n", text) }
		say("220 test")
		data := false
		for r := bufio.NewScanner(conn); r.Scan(); {
			line := r.Text()
			got = append(got, line)
			switch {
			case data && line == ".":
				data = false
				say("250 taken")
			case data:
			case refused != "" && strings.HasPrefix(line, refused):
				say(code + " not this one")
			case line == "DATA":
				data = true
				say("354 go on")
			case line == "QUIT":
				say("221 bye")
				return
			default:
				say("250 ok")
			}
		}
	}()
	return l.Addr().String(), lines
}

func send(t *testing.T, addr, customer string) error {
	t.Helper()
	s, err := notification.NewSMTP("smtp://" + addr + "?from=shop@example.org")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	return s.Send(ctx, notification.Notice{OrderID: "o1", CustomerID: customer, Reason: "completed", Subject: "Your order", Text: "It is\ncomplete."})
}

func TestMailSpeaksSMTP(t *testing.T) {
	t.Parallel()
	addr, lines := mailServer(t, "")
	if err := send(t, addr, "ada\r\nRCPT TO:<eve@example.com>"); err != nil {
		t.Fatal(err)
	}
	got := strings.Join(<-lines, "\n")
	for _, want := range []string{
		"MAIL FROM:<shop@example.org>", "To: ", "Subject: Your order",
		"Message-ID: <o1.completed@example.org>", "It is\ncomplete.\n.", "QUIT",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is missing in\n%s", want, got)
		}
	}
	if strings.Contains(got, "\nRCPT TO:<eve@example.com>") {
		t.Errorf("a customer's id spoke SMTP:\n%s", got)
	}
}

// What the server says tells whose fault it is, and so whether one customer waits, or all, or nobody.
func TestMailThatIsNotTakenSaysForWhomItWaits(t *testing.T) {
	t.Parallel()
	type kind struct{ unavailable, permanent bool }
	for refusal, want := range map[string]kind{
		"MAIL 451": {unavailable: true},
		"MAIL 530": {unavailable: true},
		"RCPT 450": {},
		"RCPT 550": {permanent: true},
		"DATA 452": {},
		"DATA 554": {permanent: true},
	} {
		addr, _ := mailServer(t, refusal)
		err := send(t, addr, "ada@example.com")
		if err == nil || !strings.Contains(err.Error(), "not this one") {
			t.Errorf("%s: %v", refusal, err)
		}
		if got := (kind{leat.IsUnavailable(err), leat.IsPermanent(err)}); got != want {
			t.Errorf("%s: %+v, want %+v", refusal, got, want)
		}
	}
	if err := send(t, "127.0.0.1:1", "ada@example.com"); !leat.IsUnavailable(err) {
		t.Errorf("nobody listens: %v", err)
	}
}

func TestNewSMTPRefusesWithoutShowingThePassword(t *testing.T) {
	t.Parallel()
	for _, url := range []string{"", "http://host?from=a@b", "smtp://?from=a@b", "smtp://u:hunter2@host", "smtp://u:hunter2@host:%zz?from=a@b", "smtp://u:hunter2@host?from=a@b%0d%0aX"} {
		if _, err := notification.NewSMTP(url); err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v", url, err)
		}
	}
}
