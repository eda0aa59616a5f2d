package gen

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// oneOf is one of several: null and one more, or a struct with the one value that there is.
func (r *jsonReader) oneOf(branches []*doc, p jsonPlace, word string) (*jsonType, error) {
	var others []int
	for i, b := range branches {
		if b.get("type").str() != "null" {
			others = append(others, i)
		}
	}
	nullable := len(others) < len(branches)
	if len(others) == 0 {
		return r.base("null", branches[0], p)
	}
	defer r.reopen(r.shut())
	if len(others) == 1 {
		t, err := r.typ(branches[others[0]], p.in(word, "").in(strconv.Itoa(others[0]), ""))
		if err != nil {
			return nil, err
		}
		used := *t
		used.nullable = t.nullable || nullable
		return &used, nil
	}
	u := r.declare(p.label, "")
	used := &jsonType{goType: u.name, nullable: nullable}
	var types []*jsonType
	for _, i := range others {
		t, err := r.typ(branches[i], p.in(word, "").in(strconv.Itoa(i), strconv.Itoa(i+1)))
		if err != nil {
			return nil, err
		}
		used.nullable = used.nullable || t.nullable
		types = append(types, t)
	}
	return used, r.chosen(u, types, p)
}

// chosen writes the struct of a union, and how it is read.
func (r *jsonReader) chosen(u *decl, types []*jsonType, p jsonPlace) error {
	by := map[string][]*jsonType{}
	var classes, names []string
	sealed := true
	for _, t := range types {
		if t.class == "" {
			return faultAt(p.path, "a branch that takes %s can't be told from the others: give each a type of its own", t.goType)
		}
		if !slices.Contains(classes, t.class) {
			classes = append(classes, t.class)
		}
		by[t.class] = append(by[t.class], t)
		names = append(names, t.goType)
		sealed = sealed && t.decl != nil
	}
	value := "any"
	if sealed {
		value = u.name + "Value"
		i := r.declare(value, value+" is what a "+u.name+" may hold.")
		value = i.name
		i.body.WriteString("interface{ is" + u.name + "() }")
		for n, t := range types {
			if !slices.Contains(types[:n], t) {
				t.decl.method("func (%s) is%s() {}", t.goType, u.name)
			}
		}
	}
	u.doc = u.name + " holds one of " + strings.Join(names, ", ") + "."
	fmt.Fprintf(&u.body, "struct{ Value %s }", value)
	var cases strings.Builder
	for _, class := range classes {
		text, err := r.class(class, by[class], p)
		if err != nil {
			return err
		}
		cases.WriteString(text)
	}
	u.method(`// MarshalJSON writes the value.
func (u %[1]s) MarshalJSON() ([]byte, error) { return %[2]s(u.Value) }

// UnmarshalJSON reads the value as the type that it is.
func (u *%[1]s) UnmarshalJSON(data []byte) error {
	data = %[3]s(data)
	if len(data) == 0 {
		return %[4]s("no JSON for a %[1]s")
	}
	switch data[0] {
	case 'n':
		u.Value = nil
		return nil
	%[5]s}
	return %[6]s("this is none of what a %[1]s holds: %%.40s", data)
}`, u.name, r.use("encoding/json", "Marshal"), r.use("bytes", "TrimSpace"), r.use("errors", "New"), cases.String(), r.use("fmt", "Errorf"))
	return nil
}

// begins are the bytes that values of a class begin with.
var begins = map[string]string{
	"string": "'\"'", "boolean": "'t', 'f'", "array": "'['", "object": "'{'",
	"number": "'-', '0', '1', '2', '3', '4', '5', '6', '7', '8', '9'",
}

const readOne = "var v %s\nerr := json.Unmarshal(data, &v)\nu.Value = v\nreturn err\n"

// class is the case of the values that begin alike.
func (r *jsonReader) class(class string, types []*jsonType, p jsonPlace) (string, error) {
	head := "case " + begins[class] + ":\n"
	if len(types) == 1 {
		return head + fmt.Sprintf(readOne, types[0].goType), nil
	}
	if class != "object" {
		return "", faultAt(p.path, "%s and %s are both written as %s: nothing tells them apart", types[0].goType, types[1].goType, class)
	}
	name, values := discriminator(types)
	if name == "" {
		return "", faultAt(p.path, "nothing tells %s from %s: give each of them a required property of one name with a const of its own", types[0].goType, types[1].goType)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%svar tag struct { Value string %s }\nif err := json.Unmarshal(data, &tag); err != nil {\nreturn err\n}\nswitch tag.Value {\n", head, tags{{"json", name}})
	for i, t := range types {
		fmt.Fprintf(&b, "case %q:\n"+readOne, values[i], t.goType)
	}
	return b.String() + "}\n", nil
}

// discriminator is a property that every type requires, with another text in each.
func discriminator(types []*jsonType) (name string, values []string) {
	for _, t := range types {
		if t.from == nil {
			return "", nil
		}
	}
	for _, m := range types[0].from.get("properties").all() {
		values = nil
		for _, t := range types {
			v, ok := constOf(t.from.get("properties").get(m.name))
			isRequired := slices.ContainsFunc(t.from.list("required"), func(d *doc) bool { return d.text == m.name })
			if !ok || !isRequired || slices.Contains(values, v) {
				break
			}
			values = append(values, v)
		}
		if len(values) == len(types) && isPropertyName(m.name) {
			return m.name, values
		}
	}
	return "", nil
}

// constOf is the only text that a property may have.
func constOf(d *doc) (string, bool) {
	v := d.get("const")
	if list := d.list("enum"); v == nil && len(list) == 1 {
		v = list[0]
	}
	if v == nil || v.kind != '"' {
		return "", false
	}
	return v.text, true
}
