package interop

import "github.com/leatdev/leat/schema"

// differences are the verdicts of the tables that Apicurio 2.6 gives otherwise than leat, by why, in the
// words of docs/reference/compatibility.md. In all of them leat does what Confluent's registry does.
var differences = []struct {
	typ   schema.Type
	why   string
	says  string
	cases []string
}{
	{
		schema.Avro, "A field that stands for two of the writer's: incompatible at Confluent's, an invalid schema at Apicurio", refuses, []string{
			"two fields for one",
		},
	},
	{
		schema.JSONSchema, "The schema `false`: Apicurio does not know it for JSON Schema", refuses, []string{
			"nothing may become anything",
		},
	},
	{
		schema.JSONSchema, "A type becomes `false`, under which nothing can be read: compatible at Apicurio", yes, []string{
			"a type becomes false",
		},
	},
	{
		schema.JSONSchema, "`connect.type` of bytes: Apicurio does not know it", no, []string{
			"both are bytes to Kafka Connect",
		},
	},
	{
		schema.JSONSchema, "Drafts 2019-09 and 2020-12: Apicurio compares up to draft 7", fails, []string{
			"maxContains rises, there",
			"maxContains rises, back",
			"maxContains appears, there",
			"maxContains appears, back",
			"minContains rises, there",
			"minContains rises, back",
			"contains appears, there",
			"contains appears, back",
			"unevaluatedProperties close, there",
			"unevaluatedProperties close, back",
			"unevaluatedProperties narrow, there",
			"unevaluatedProperties narrow, back",
			"optional property where unevaluatedProperties close",
			"optional property that unevaluatedProperties cover",
			"dependentRequired appears, there",
			"dependentRequired appears, back",
			"dependentSchemas appear, there",
			"dependentSchemas appear, back",
			"an item, open, 2020-12, there",
			"an item, open, 2020-12, back",
			"an item, closed, 2020-12, there",
			"an item, closed, 2020-12, back",
			"an item, partial, 2020-12, there",
			"an item, partial, 2020-12, back",
			"items close, 2020-12, there",
			"items close, 2020-12, back",
			"unevaluatedItems close, there",
			"unevaluatedItems close, back",
			"unevaluatedItems narrow, there",
			"unevaluatedItems narrow, back",
			"a $ref with neighbours, 2020-12, there",
			"a $ref with neighbours, 2020-12, back",
		},
	},
	{
		schema.JSONSchema, "`const` and `enum` are two types to Confluent's engine, also where the enum has the constant", yes, []string{
			"const becomes enum, there",
		},
	},
	{
		schema.JSONSchema, "Required with a default: as good as optional at Confluent's", no, []string{
			"a property with a default becomes required",
			"required property with default, closed, there",
		},
	},
	{
		schema.JSONSchema, "`required` of a property that is not described is compared by Apicurio alone", no, []string{
			"required of what is not named is not seen",
		},
	},
	{
		schema.JSONSchema, "Properties and items that allow all or nothing: they add and take nothing at Confluent's", no, []string{
			"empty property, open, there",
			"false property, closed, back",
			"an empty item, open, there",
			"a false item, closed, back",
		},
	},
	{
		schema.JSONSchema, "A type and a choice of types (`oneOf`, `anyOf`, `allOf`, a list of types): Confluent's engine compares them branch by branch", no, []string{
			"a plain type becomes one of oneOf, there",
			"a plain type becomes the only one of oneOf, there",
			"a plain type becomes the only one of oneOf, back",
			"a plain type becomes one of anyOf, there",
			"a plain type becomes the only one of anyOf, there",
			"a plain type becomes the only one of anyOf, back",
			"oneOf to allOf, one each, there",
			"oneOf to allOf, one each, back",
			"one anyOf to several oneOf",
			"several allOf to one oneOf",
			"a type becomes a list of types, there",
		},
	},
	{
		schema.JSONSchema, "`format` and `if` are compared by Apicurio alone", no, []string{
			"format is not compared, back",
			"if is not compared, there",
			"if is not compared, back",
		},
	},
	{
		schema.Protobuf, "The package of a file: Apicurio does not compare it", yes, []string{
			"package changed",
			"package changed, the other way",
		},
	},
	{
		schema.Protobuf, "Messages that are removed: Apicurio does not look for them", yes, []string{
			"message removed",
			"nested message removed",
		},
	},
	{
		schema.Protobuf, "Fields, oneofs and enum values that are removed and not reserved: Apicurio refuses", no, []string{
			"map removed with its entries",
			"field added, the other way",
			"enum value removed",
			"whole oneof removed",
		},
	},
	{
		schema.Protobuf, "Types that are alike on the wire (int32 and int64, string and bytes): Apicurio takes no type for another", no, []string{
			"int32 to int64",
			"int32 to int64, the other way",
			"int32 to uint32",
			"int32 to uint32, the other way",
			"int32 to uint64",
			"int32 to uint64, the other way",
			"int32 to bool",
			"int32 to bool, the other way",
			"int32 to E",
			"int32 to E, the other way",
			"sint32 to sint64",
			"sint32 to sint64, the other way",
			"string to bytes",
			"string to bytes, the other way",
			"fixed32 to sfixed32",
			"fixed32 to sfixed32, the other way",
			"fixed64 to sfixed64",
			"fixed64 to sfixed64, the other way",
			"map value widened",
			"map value widened, the other way",
		},
	},
	{
		schema.Protobuf, "Labels that are alike on the wire (optional, repeated, required): Apicurio takes none for another", no, []string{
			"optional string to repeated",
			"optional string to repeated, the other way",
			"optional bytes to repeated",
			"optional bytes to repeated, the other way",
			"optional N to repeated",
			"optional N to repeated, the other way",
			"plain int32 to repeated",
			"plain int32 to repeated, the other way",
			"plain to optional",
			"plain to optional, the other way",
			"optional to required string",
			"optional to required string, the other way",
		},
	},
	{
		schema.Protobuf, "Fields with another name or number: Apicurio has it that both stay", no, []string{
			"field renumbered",
			"field renumbered, the other way",
			"field renamed",
			"field renamed, the other way",
		},
	},
	{
		schema.Protobuf, "Fields that move into a oneof: Apicurio does not see it", yes, []string{
			"two fields into a oneof",
			"a field into an existing oneof",
			"two oneofs joined",
		},
	},
	{
		schema.Protobuf, "What is imported: Apicurio compares names with their packages, and not what they stand for", yes, []string{
			"an import changed",
			"an import changed, the other way",
		},
	},
	{
		schema.Protobuf, "What is imported: Apicurio compares names with their packages, and not what they stand for", no, []string{
			"an import changed its package",
			"an import changed its package, the other way",
			"a message moved into an import, the other way",
		},
	},
}
