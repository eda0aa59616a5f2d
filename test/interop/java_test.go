package interop

import (
	"bytes"
	_ "embed"
	"fmt"
	"net/http"
	neturl "net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/leatdev/leat"
	"github.com/leatdev/leat/leattest"
	"github.com/leatdev/leat/leattest/server"
	"github.com/leatdev/leat/schema"
)

//go:embed testdata/java/pom.xml
var javaPOM []byte

// startJava runs the peer; the name of its jars changes with the pom.
func startJava(t *testing.T, registry, apicurio string) *peer {
	t.Helper()
	if testing.Short() {
		t.Skip("starts a JVM: not in short runs")
	}
	java, classpath, err := server.Java(t.Context(), "interop-java-1", javaPOM)
	if err != nil {
		leattest.Missing(t, "java", err.Error())
	}
	return start(t, java, "-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-cp", classpath, "testdata/java/Peer.java", registry, apicurio)
}

// speaksJava has on the other side Confluent's client for Java with Flink's Avro format, and Apicurio's
// serializers in their Confluent mode: with a resolver of the test's that asks leat's registry, and as
// they come, with Apicurio's.
func speaksJava(t *testing.T, a *server.Apicurio) {
	url := serve(t)
	p := startJava(t, url, a.OwnURL())
	t.Run("flink", func(t *testing.T) {
		p.via = "flink"
		structs(t, p, url, leat.Avro, "flink", false, nil)
		words(t, p, url)
	})
	t.Run("serdes", func(t *testing.T) {
		p.via = "apicurio"
		structs(t, p, url, leat.Avro, "avro", false, nil)
		structs(t, p, url, leat.JSONSchema, "json", false, nil)
		messageByName(t, p, url)
	})
	t.Run("serdes and their registry", func(t *testing.T) {
		p.via = "apicurio-own"
		structs(t, p, a.URL(), leat.Avro, "java-avro", false, nil)
		own := schema.Registered{Type: schema.JSONSchema, Text: placedJSON} // they never register one
		if _, err := client(t, a.URL()).Register(t.Context(), "java-json-theirs-value", own, false); err != nil {
			t.Fatal(err)
		}
		structs(t, p, a.URL(), leat.JSONSchema, "java-json", false, nil)
	})
}

// Apicurio's serializer puts the name of a Protobuf message where every other has its index: leat must
// refuse what it wrote, and never read it as something else.
func messageByName(t *testing.T, p *peer, url string) {
	m := &Money{Amount: 5, Currency: "EUR"}
	text, err := protojson.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	topic := carrying[*Money]("named")
	r := p.ask(t, question{
		Do: "write", Type: schema.Protobuf, Topic: topic.Name, Value: document(t, string(text)),
		Files: files(t, m.ProtoReflect().Descriptor().ParentFile()), Message: "interop.base.v1.Money",
	}).record
	if body, err := proto.Marshal(m); err != nil || !bytes.HasSuffix(r.Data, body) || !bytes.Contains(r.Data, []byte("Money")) {
		t.Fatalf("%x has no name: the serializer has changed, docs/reference/compatibility.md has to tell (%v)", r.Data, err)
	}
	if got, err := read[*Money](codec(t, url), topic, r); err == nil {
		t.Errorf("%x is read as %v", r.Data, got)
	}
}

// unplaced are the cases in which Confluent's engine does not know where they differ: that is of Java's
// Avro before 1.12.
var unplaced = []string{"union and a branch, the other way", "union and a branch that promotes, the other way", "union without the type, the other way"}

var place = regexp.MustCompile(`\(path '[^']*'\)`)

// words holds what leat's registry says against a schema in Avro to what Confluent's engine says, to the
// letter. It repeats what holds for each use of a type; leat says it once.
func words(t *testing.T, p *peer, url string) {
	c, judged := client(t, url), 0
	for i, pair := range pairs(t) {
		if pair.typ != schema.Avro {
			continue
		}
		subject := fmt.Sprintf("words-%d", i)
		if _, err := c.Register(t.Context(), subject, schema.Registered{Text: pair.old}, false); err != nil {
			t.Fatal(err)
		}
		var ours struct{ Messages []string }
		if err := c.Do(
			t.Context(), "ask for a verdict", http.MethodPost, "/compatibility/subjects/"+subject+"/versions/latest",
			neturl.Values{"verbose": {"true"}}, schema.Registered{Text: pair.next}, &ours,
		); err != nil {
			t.Fatal(err)
		}
		got := slices.DeleteFunc(ours.Messages, func(m string) bool { return strings.HasPrefix(m, "{oldSchema") || strings.HasPrefix(m, "{validate") })
		if slices.Contains(unplaced, pair.name) {
			for i := range got {
				got[i] = place.ReplaceAllLiteralString(got[i], "(path '/')")
			}
		}
		var want []string
		said, _ := p.ask(t, question{Do: "judge", Schema: pair.next, Value: pair.old}).Value.([]any)
		for _, m := range said {
			if m := fmt.Sprint(m); !slices.Contains(want, m) {
				want = append(want, m)
			}
		}
		if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("%s (-Confluent +leat):\n%s", pair.name, diff)
		}
		judged += len(want)
	}
	if judged < 40 {
		t.Errorf("%d reasons: too few to tell", judged)
	}
}
