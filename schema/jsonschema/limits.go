package jsonschema

// What a schema may cost whoever reads it. A registry answers strangers.
const (
	maxText     = 1 << 20 // bytes of one text
	maxDepth    = 200     // levels of nesting
	maxNodes    = 50_000  // values in one text
	maxSchemas  = 5_000   // objects and booleans in one text with its imports; the compiler is quadratic in them
	maxExponent = 999     // of a number
	maxDigits   = 2_000   // characters of a number
	maxImports  = 500     // schemas that one refers to, directly or not
	maxSteps    = 400_000 // pairs of schemas that one comparison looks at
	maxDeep     = 5_000   // of them within each other
	maxFindings = 100     // differences that one comparison keeps for a pair
)
