package jsonschema

import (
	"maps"
	"slices"
	"strconv"
)

func (s *scope) objects(old, new *shape) {
	s.required(old, new)
	s.in("properties", func() {
		for _, name := range both(old.properties, new.properties) {
			s.in(name, func() { s.property(name, old, new) })
		}
	})
	s.in("dependencies", func() { s.dependencies(old, new) })
	s.rest("additionalProperties", "ADDITIONAL_PROPERTIES", old, new)
	s.unevaluated("unevaluatedProperties", "UNEVALUATED_PROPERTIES", old.unevaluated, new.unevaluated)
	s.limit("maxProperties", "MAX_PROPERTIES", old.maxProperties, new.maxProperties)
	s.limit("minProperties", "MIN_PROPERTIES", old.minProperties, new.minProperties)
}

// required looks at properties that both name.
func (s *scope) required(old, new *shape) {
	s.in("required", func() {
		for _, name := range slices.Sorted(maps.Keys(old.properties)) {
			to := new.properties[name]
			switch {
			case to == nil || old.required[name] == new.required[name]:
			case old.required[name]:
				s.add(requiredRemoved, name)
			case to.hasDefault:
				s.add(requiredDefaultAdded, name)
			default:
				s.add(requiredAdded, name)
			}
		}
	})
}

func (s *scope) property(name string, old, new *shape) {
	from, to := old.properties[name], new.properties[name]
	switch {
	case from != nil && to != nil:
		s.compare(from, to)
	case to == nil:
		s.removed(from, new, name, removedProperty)
	case old.open():
		s.add(addedToOpen(to, new.required[name]))
	default:
		s.covered(old.covering(name), to, addedProperty)
		switch {
		case !new.required[name]:
			s.add(optionalAddedUnopen)
		case to.hasDefault:
			s.add(requiredDefaultAddedUnopen)
		default:
			s.add(requiredAddedUnopen)
		}
	}
}

// addedToOpen: writers may have sent anything by that name.
func addedToOpen(to *shape, required bool) string {
	switch {
	case to.kind == anything:
		return emptyAddedOpen
	case !required:
		return optionalAddedOpen
	case to.hasDefault:
		return requiredDefaultAddedOpen
	}
	return requiredAddedOpen
}

// kinds are the names of one rule for properties and for items.
type kinds struct{ open, covered, uncovered, nothing, closed string }

var (
	removedProperty = kinds{
		"PROPERTY_REMOVED_FROM_OPEN_CONTENT_MODEL",
		"PROPERTY_REMOVED_IS_COVERED_BY_PARTIALLY_OPEN_CONTENT_MODEL",
		"PROPERTY_REMOVED_NOT_COVERED_BY_PARTIALLY_OPEN_CONTENT_MODEL",
		"PROPERTY_WITH_FALSE_REMOVED_FROM_CLOSED_CONTENT_MODEL",
		"PROPERTY_REMOVED_FROM_CLOSED_CONTENT_MODEL",
	}
	addedProperty = kinds{
		covered:   "PROPERTY_ADDED_IS_COVERED_BY_PARTIALLY_OPEN_CONTENT_MODEL",
		uncovered: "PROPERTY_ADDED_NOT_COVERED_BY_PARTIALLY_OPEN_CONTENT_MODEL",
	}
	removedItem = kinds{
		"ITEM_REMOVED_FROM_OPEN_CONTENT_MODEL",
		"ITEM_REMOVED_IS_COVERED_BY_PARTIALLY_OPEN_CONTENT_MODEL",
		"ITEM_REMOVED_NOT_COVERED_BY_PARTIALLY_OPEN_CONTENT_MODEL",
		"ITEM_WITH_FALSE_REMOVED_FROM_CLOSED_CONTENT_MODEL",
		"ITEM_REMOVED_FROM_CLOSED_CONTENT_MODEL",
	}
	addedItem = kinds{
		covered:   "ITEM_ADDED_IS_COVERED_BY_PARTIALLY_OPEN_CONTENT_MODEL",
		uncovered: "ITEM_ADDED_NOT_COVERED_BY_PARTIALLY_OPEN_CONTENT_MODEL",
	}
)

// removed: what is no longer named must be let in by what remains.
func (s *scope) removed(from, new *shape, name string, as kinds) {
	switch cover := new.covering(name); {
	case new.open():
		s.add(as.open)
	case cover != nil:
		s.covered(from, cover, as)
	case from.kind == nothing:
		s.add(as.nothing)
	default:
		s.add(as.closed)
	}
}

// covered compares with the schema of what is not named; there is none in a closed model.
func (s *scope) covered(old, new *shape, as kinds) {
	if old == nil {
		return
	}
	t := s.sub()
	t.compare(old, new)
	s.take(t.found)
	if t.can() {
		s.add(as.covered)
	} else {
		s.add(as.uncovered)
	}
}

func (s *scope) dependencies(old, new *shape) {
	for _, name := range both(old.needs, new.needs) {
		s.in(name, func() {
			from, before := old.needs[name]
			to, after := new.needs[name]
			switch {
			case !after:
				s.add("DEPENDENCY_ARRAY_REMOVED")
			case !before:
				s.add("DEPENDENCY_ARRAY_ADDED")
			default:
				s.sets("", from, to, "DEPENDENCY_ARRAY_EXTENDED", "DEPENDENCY_ARRAY_NARROWED", "DEPENDENCY_ARRAY_CHANGED")
			}
		})
	}
	for _, name := range both(old.needsShape, new.needsShape) {
		s.in(name, func() {
			from, to := old.needsShape[name], new.needsShape[name]
			switch {
			case to == nil:
				s.add("DEPENDENCY_SCHEMA_REMOVED")
			case from == nil:
				s.add("DEPENDENCY_SCHEMA_ADDED")
			default:
				s.compare(from, to)
			}
		})
	}
}

func (s *scope) arrays(old, new *shape) {
	s.in("items", func() { s.compare(old.each, new.each) })
	for i := range max(len(old.tuple), len(new.tuple)) {
		s.in("items/"+strconv.Itoa(i), func() { s.item(i, old, new) })
	}
	s.rest("additionalItems", "ADDITIONAL_ITEMS", old, new)
	s.unevaluated("unevaluatedItems", "UNEVALUATED_ITEMS", old.unevaluated, new.unevaluated)
	s.limit("maxItems", "MAX_ITEMS", old.maxItems, new.maxItems)
	s.limit("minItems", "MIN_ITEMS", old.minItems, new.minItems)
	if old.unique && !new.unique {
		s.add("UNIQUE_ITEMS_REMOVED", "uniqueItems")
	} else if !old.unique && new.unique {
		s.add("UNIQUE_ITEMS_ADDED", "uniqueItems")
	}
	s.limit("maxContains", "MAX_CONTAINS", old.maxContains, new.maxContains)
	s.limit("minContains", "MIN_CONTAINS", old.minContains, new.minContains)
}

func (s *scope) item(i int, old, new *shape) {
	switch {
	case i < len(old.tuple) && i < len(new.tuple):
		s.compare(old.tuple[i], new.tuple[i])
	case i < len(old.tuple):
		s.removed(old.tuple[i], new, "", removedItem)
	case old.open() && new.tuple[i].kind == anything:
		s.add("ITEM_WITH_EMPTY_SCHEMA_ADDED_TO_OPEN_CONTENT_MODEL")
	case old.open():
		s.add(itemAddedOpen)
	case old.covering("") != nil:
		s.covered(old.covering(""), new.tuple[i], addedItem)
	default:
		s.add("ITEM_ADDED_TO_CLOSED_CONTENT_MODEL")
	}
}
