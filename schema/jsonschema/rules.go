package jsonschema

import (
	"maps"

	"github.com/leatdev/leat/schema"
)

// The names of the rules that are used in more than one place; registries give them.
const (
	kindSchemaAdded   = "SCHEMA_ADDED"
	kindSchemaRemoved = "SCHEMA_REMOVED"
	kindTypeChanged   = "TYPE_CHANGED"
	typeExtended      = "TYPE_EXTENDED"
	typeNarrowed      = "TYPE_NARROWED"
	enumExtended      = "ENUM_ARRAY_EXTENDED"
	enumNarrowed      = "ENUM_ARRAY_NARROWED"
	enumChanged       = "ENUM_ARRAY_CHANGED"
	notExtended       = "NOT_TYPE_EXTENDED"
	notNarrowed       = "NOT_TYPE_NARROWED"
	combinedExtended  = "COMBINED_TYPE_EXTENDED"
	combinedChanged   = "COMBINED_TYPE_CHANGED"
	productExtended   = "PRODUCT_TYPE_EXTENDED"
	productNarrowed   = "PRODUCT_TYPE_NARROWED"
	sumExtended       = "SUM_TYPE_EXTENDED"
	sumNarrowed       = "SUM_TYPE_NARROWED"
	subschemasChanged = "COMBINED_TYPE_SUBSCHEMAS_CHANGED"

	requiredAdded              = "REQUIRED_ATTRIBUTE_ADDED"
	requiredDefaultAdded       = "REQUIRED_ATTRIBUTE_WITH_DEFAULT_ADDED"
	requiredRemoved            = "REQUIRED_ATTRIBUTE_REMOVED"
	emptyAddedOpen             = "PROPERTY_WITH_EMPTY_SCHEMA_ADDED_TO_OPEN_CONTENT_MODEL"
	optionalAddedOpen          = "OPTIONAL_PROPERTY_ADDED_TO_OPEN_CONTENT_MODEL"
	requiredAddedOpen          = "REQUIRED_PROPERTY_ADDED_TO_OPEN_CONTENT_MODEL"
	requiredDefaultAddedOpen   = "REQUIRED_PROPERTY_WITH_DEFAULT_ADDED_TO_OPEN_CONTENT_MODEL"
	optionalAddedUnopen        = "OPTIONAL_PROPERTY_ADDED_TO_UNOPEN_CONTENT_MODEL"
	requiredAddedUnopen        = "REQUIRED_PROPERTY_ADDED_TO_UNOPEN_CONTENT_MODEL"
	requiredDefaultAddedUnopen = "REQUIRED_PROPERTY_WITH_DEFAULT_ADDED_TO_UNOPEN_CONTENT_MODEL"
	itemAddedOpen              = "ITEM_ADDED_TO_OPEN_CONTENT_MODEL"

	kindTooLarge = "SCHEMAS_TOO_LARGE"   // ours: the comparison was given up
	kindOther    = "SCHEMA_TYPE_CHANGED" // ours: not both are JSON Schemas
)

// strict are the changes after which a reader of the new schema still reads what was written with the
// old one.
var strict = map[string]bool{
	kindSchemaRemoved: true, typeExtended: true, enumExtended: true, notNarrowed: true,
	combinedExtended: true, productNarrowed: true, sumExtended: true,

	"MAX_LENGTH_INCREASED": true, "MAX_LENGTH_REMOVED": true, "MIN_LENGTH_DECREASED": true, "MIN_LENGTH_REMOVED": true,
	"PATTERN_REMOVED": true,

	"MAXIMUM_INCREASED": true, "MAXIMUM_REMOVED": true, "MINIMUM_DECREASED": true, "MINIMUM_REMOVED": true,
	"EXCLUSIVE_MAXIMUM_INCREASED": true, "EXCLUSIVE_MAXIMUM_REMOVED": true,
	"EXCLUSIVE_MINIMUM_DECREASED": true, "EXCLUSIVE_MINIMUM_REMOVED": true,
	"MULTIPLE_OF_REDUCED": true, "MULTIPLE_OF_REMOVED": true,

	requiredDefaultAdded: true, requiredRemoved: true,
	"DEPENDENCY_ARRAY_NARROWED": true, "DEPENDENCY_ARRAY_REMOVED": true, "DEPENDENCY_SCHEMA_REMOVED": true,
	"MAX_PROPERTIES_INCREASED": true, "MAX_PROPERTIES_REMOVED": true, "MIN_PROPERTIES_DECREASED": true, "MIN_PROPERTIES_REMOVED": true,
	"ADDITIONAL_PROPERTIES_ADDED": true, "ADDITIONAL_PROPERTIES_EXTENDED": true,
	"UNEVALUATED_PROPERTIES_ADDED": true, "UNEVALUATED_PROPERTIES_EXTENDED": true,
	emptyAddedOpen: true, optionalAddedUnopen: true, requiredDefaultAddedUnopen: true,
	removedProperty.nothing: true, removedProperty.open: true, removedProperty.covered: true, addedProperty.covered: true,

	"MAX_ITEMS_INCREASED": true, "MAX_ITEMS_REMOVED": true, "MIN_ITEMS_DECREASED": true, "MIN_ITEMS_REMOVED": true,
	"MAX_CONTAINS_INCREASED": true, "MAX_CONTAINS_REMOVED": true, "MIN_CONTAINS_DECREASED": true, "MIN_CONTAINS_REMOVED": true,
	"UNIQUE_ITEMS_REMOVED": true, "ADDITIONAL_ITEMS_ADDED": true, "ADDITIONAL_ITEMS_EXTENDED": true,
	"UNEVALUATED_ITEMS_ADDED": true, "UNEVALUATED_ITEMS_EXTENDED": true,
	"ITEM_WITH_EMPTY_SCHEMA_ADDED_TO_OPEN_CONTENT_MODEL": true, "ITEM_ADDED_TO_CLOSED_CONTENT_MODEL": true,
	removedItem.nothing: true, removedItem.open: true, removedItem.covered: true, addedItem.covered: true,
}

// lenient adds what holds where writers send nothing that they do not name, and readers pass over
// what they do not know.
var lenient = func() map[string]bool {
	all := maps.Clone(strict)
	for _, kind := range []string{
		"ADDITIONAL_PROPERTIES_NARROWED", "ADDITIONAL_PROPERTIES_REMOVED",
		"UNEVALUATED_PROPERTIES_NARROWED", "UNEVALUATED_PROPERTIES_REMOVED",
		optionalAddedOpen, requiredDefaultAddedOpen,
		removedProperty.closed, removedProperty.uncovered, addedProperty.uncovered,
	} {
		all[kind] = true
	}
	return all
}()

func bearable(policy schema.Policy) map[string]bool {
	if policy == schema.Lenient {
		return lenient
	}
	return strict
}
