package schema

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strconv"
)

// Subjects are the names of the subjects that have live versions and begin with prefix, sorted; "": all
// of the client's context.
func (c *Client) Subjects(ctx context.Context, prefix string) ([]string, error) {
	var query url.Values
	if prefix != "" {
		query = url.Values{"subjectPrefix": {prefix}}
	}
	var names []string
	err := c.Do(ctx, "list subjects", http.MethodGet, "/subjects", query, nil, &names)
	slices.Sort(names)
	return names, err
}

// Versions are the numbers of the live versions of the subject, in ascending order.
func (c *Client) Versions(ctx context.Context, subject string) ([]int, error) {
	var numbers []int
	err := c.Do(ctx, "list the versions of "+subject, http.MethodGet, "/subjects/"+url.PathEscape(subject)+"/versions", nil, nil, &numbers)
	slices.Sort(numbers)
	return numbers, err
}

// Rules is by what a registry judges the new versions of a subject.
type Rules struct {
	Level  Level  `json:"compatibilityLevel"`
	Policy Policy `json:"compatibilityPolicy,omitempty"` // "": Strict
	// Group is a property of the metadata: versions are compared where they have the same value of it;
	// "": all are.
	Group string `json:"compatibilityGroup,omitempty"`
	// ValidateFields says that a field whose name the metadata reserves is refused.
	ValidateFields bool `json:"validateFields,omitempty"`
}

// Annotated is a version with what its registry keeps beside the schema.
type Annotated struct {
	Registered
	Metadata struct {
		Properties map[string]string `json:"properties"`
	} `json:"metadata"`
	RuleSet struct {
		Migration []Rule `json:"migrationRules"`
		Domain    []Rule `json:"domainRules"`
		Encoding  []Rule `json:"encodingRules"`
	} `json:"ruleSet"`
}

// Rule is one of a version's rules, as far as programs that do not run it have to know it.
type Rule struct {
	Name     string `json:"name"`
	Type     string `json:"type"`
	Disabled bool   `json:"disabled"`
}

// Annotated is a version of the subject, with its metadata and its rules.
func (c *Client) Annotated(ctx context.Context, subject string, version int) (Annotated, error) {
	var a Annotated
	number := strconv.Itoa(version)
	err := c.Do(ctx, "get version "+number+" of "+subject, http.MethodGet, "/subjects/"+url.PathEscape(subject)+"/versions/"+number, nil, nil, &a)
	if a.Type == "" {
		a.Type = Avro
	}
	return a, err
}

// Rules is what holds for the subject, set for itself or for all.
func (c *Client) Rules(ctx context.Context, subject string) (Rules, error) {
	var r Rules
	err := c.Do(ctx, "get the settings of "+subject, http.MethodGet, "/config/"+url.PathEscape(subject), url.Values{"defaultToGlobal": {"true"}}, nil, &r)
	return r, err
}

// Delete deletes a version of the subject, 0: all of them. For good is a second step: what is deleted
// so must have been deleted without it before. It returns the versions that went.
func (c *Client) Delete(ctx context.Context, subject string, version int, forGood bool) ([]int, error) {
	path, op := "/subjects/"+url.PathEscape(subject), "delete "+subject
	var query url.Values
	if forGood {
		query = url.Values{"permanent": {"true"}}
	}
	if version == 0 {
		var gone []int
		err := c.Do(ctx, op, http.MethodDelete, path, query, nil, &gone)
		return gone, err
	}
	number := strconv.Itoa(version)
	var gone int
	if err := c.Do(ctx, "delete version "+number+" of "+subject, http.MethodDelete, path+"/versions/"+number, query, nil, &gone); err != nil {
		return nil, err
	}
	return []int{gone}, nil
}
