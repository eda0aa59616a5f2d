package kafka

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
)

// Resource is what an ACL is about, by the name that kafka-acls gives it.
type Resource string

// The resources that services need rights on.
const (
	TopicResource           Resource = "topic"
	GroupResource           Resource = "group"
	TransactionalIDResource Resource = "transactional-id"
)

// ACL allows one user some operations on the resource of a name, or on all whose names begin so
// (KIP-11, KIP-290).
type ACL struct {
	Resource   Resource `json:"resource"`
	Name       string   `json:"name"`
	Prefixed   bool     `json:"prefixed"`
	Operations []string `json:"operations"` // as kafka-acls writes them: Read, Write, DescribeConfigs
	Why        string   `json:"why"`        // what it is for
}

// Grant is what one user may do.
type Grant struct {
	User string `json:"user"` // name without "User:"
	ACLs []ACL  `json:"acls"`
}

func (a ACL) pattern() string {
	if a.Prefixed {
		return "prefixed"
	}
	return "literal"
}

// WriteCommands writes grants as kafka-acls command lines.
func WriteCommands(w io.Writer, brokers string, grants []Grant) error {
	for _, g := range grants {
		for _, a := range g.ACLs {
			operations := ""
			for _, o := range a.Operations {
				operations += " --operation " + o
			}
			pattern := ""
			if a.Prefixed {
				pattern = " --resource-pattern-type prefixed"
			}
			_, err := fmt.Fprintf(w, "kafka-acls --bootstrap-server %s --add --allow-principal %s%s --%s %s%s # %s\n",
				shell(brokers), shell("User:"+g.User), operations, a.Resource, shell(a.Name), pattern, a.Why)
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// shell quotes a word where a shell would read it otherwise.
func shell(word string) string {
	if word != "" && strings.Trim(word, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_:,/@=") == "" {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}

// WriteStrimzi writes grants as Strimzi's KafkaUser resources for a cluster of that name.
func WriteStrimzi(w io.Writer, cluster string, grants []Grant) error {
	types := map[Resource]string{TopicResource: "topic", GroupResource: "group", TransactionalIDResource: "transactionalId"}
	for _, g := range grants {
		_, err := fmt.Fprintf(w, "---\napiVersion: kafka.strimzi.io/v1\nkind: KafkaUser\nmetadata:\n  name: %s\n  labels:\n    strimzi.io/cluster: %s\nspec:\n  authentication:\n    type: scram-sha-512\n  authorization:\n    type: simple\n    acls:\n", text(g.User), text(cluster))
		for _, a := range g.ACLs {
			if err == nil {
				_, err = fmt.Fprintf(w, "      # %s\n      - resource:\n          type: %s\n          name: %s\n          patternType: %s\n        operations: [%s]\n",
					a.Why, types[a.Resource], text(a.Name), strings.Replace(a.pattern(), "prefixed", "prefix", 1), strings.Join(a.Operations, ", "))
			}
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// WriteTerraform writes grants as kafka_acl resources of the provider Mongey/kafka, whose resources
// hold one operation each.
func WriteTerraform(w io.Writer, grants []Grant) error {
	types := map[Resource]string{TopicResource: "Topic", GroupResource: "Group", TransactionalIDResource: "TransactionalID"}
	for _, g := range grants {
		for _, a := range g.ACLs {
			for _, o := range a.Operations {
				pattern := strings.ToUpper(a.pattern()[:1]) + a.pattern()[1:]
				_, err := fmt.Fprintf(w, "# %s\nresource \"kafka_acl\" \"%s\" {\n  resource_name                = %s\n  resource_type                = \"%s\"\n  resource_pattern_type_filter = \"%s\"\n  acl_principal                = %s\n  acl_host                     = \"*\"\n  acl_operation                = \"%s\"\n  acl_permission_type          = \"Allow\"\n}\n\n",
					a.Why, label(g.User, string(a.Resource), a.Name, o), text(a.Name), types[a.Resource], pattern, text("User:"+g.User), o)
				if err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// text is a double-quoted string, which YAML and HCL read as JSON does; the interpolation of HCL,
// "${" and "%{", can't be in it, for no name on Kafka has these letters but a user's.
func text(s string) string {
	quoted, _ := json.Marshal(s) // a string always is JSON
	return strings.NewReplacer("${", "$${", "%{", "%%{").Replace(string(quoted))
}

// label names a resource of Terraform.
func label(parts ...string) string {
	return strings.ToLower(strings.Map(func(c rune) rune {
		if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' {
			return c
		}
		return '_'
	}, strings.Join(parts, "_")))
}
