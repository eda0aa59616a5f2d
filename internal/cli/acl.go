package cli

import (
	"github.com/spf13/cobra"

	"github.com/leatdev/leat/kafka"
)

// Forms of grants beside JSON.
const (
	formCommands  = "kafka-acls"
	formStrimzi   = "strimzi"
	formTerraform = "terraform"
)

func (a *app) aclCommand() *cobra.Command {
	cmd := family(&cobra.Command{Use: "acl", Short: "Plan what services may do on the cluster"})
	cmd.AddCommand(a.aclPlanCommand())
	return cmd
}

func (a *app) aclPlanCommand() *cobra.Command {
	var s topicSource
	var user, cluster, operator string
	var madeByOthers bool
	cmd := &cobra.Command{
		Use:   "plan [SERVICE...]",
		Short: "Print the least rights that services need on the cluster",
		Long: `plan prints the ACLs that let each service do all it does, and nothing else, as kafka-acls command lines,
as Strimzi's KafkaUser resources, as Terraform's kafka_acl, or as JSON. It asks no cluster.

The services are those of this binary, or of files with what "YOUR-SERVICE --manifest" prints. Each is a
user of its own, by its name unless --user says otherwise.`,
		Example:           "  leat acl plan payment --brokers kafka-1:9092 | sh\n  leat acl plan -F payment.json -o strimzi | kubectl apply -f -",
		ValidArgsFunction: a.completeServices,
		Annotations:       map[string]string{outputAnnotation: formCommands + "," + formStrimzi + "," + formTerraform + "," + formJSON},
		RunE: func(_ *cobra.Command, names []string) error {
			manifests, err := a.manifests(s, names)
			if err != nil {
				return err
			}
			if operator != "" {
				grant := kafka.Grant{User: operator}
				for _, m := range manifests {
					grant.ACLs = append(grant.ACLs, m.OperatorACLs()...)
				}
				return a.writeGrants(cluster, []kafka.Grant{grant})
			}
			if user != "" && len(manifests) > 1 {
				return usagef("--user %s would be the user of %d services: plan them one by one, or leave it out", user, len(manifests))
			}
			grants := make([]kafka.Grant, len(manifests))
			for i, m := range manifests {
				grants[i] = kafka.Grant{User: m.Service, ACLs: m.ACLs(madeByOthers)}
				if user != "" {
					grants[i].User = user
				}
			}
			return a.writeGrants(cluster, grants)
		},
	}
	f := cmd.Flags()
	s.sourceFlags(cmd)
	f.StringVar(&user, "user", "", "`name` of the user of a single service; without 'User:'")
	f.StringVar(&operator, "operator", "", "the rights of this `user`, a person who commands the services' groups (leat group) and gives their dead letters back (leat dlq), in place of theirs")
	f.StringVar(&cluster, "cluster", "kafka", "`name` of the Kafka resource that Strimzi's users belong to")
	f.BoolVar(&madeByOthers, "topics-made", false, "leave out the rights to make topics and raise their settings: others do it (leat topic apply)")
	f.StringP("output", "o", formCommands, "form: kafka-acls, strimzi, terraform or json")
	return cmd
}

func (a *app) writeGrants(cluster string, grants []kafka.Grant) error {
	switch a.output {
	case formStrimzi:
		return kafka.WriteStrimzi(a.cfg.Stdout, cluster, grants)
	case formTerraform:
		return kafka.WriteTerraform(a.cfg.Stdout, grants)
	case formJSON:
		return writeJSON(a.cfg.Stdout, grants)
	}
	return kafka.WriteCommands(a.cfg.Stdout, a.flags["kafka-brokers"].Value.String(), grants)
}
