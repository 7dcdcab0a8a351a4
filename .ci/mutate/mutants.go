package main

import (
	"errors"
	"fmt"
	"go/ast"
	"go/constant"
	"go/parser"
	"go/token"
	"go/types"
	"hash/fnv"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// mutant is one small change.
type mutant struct {
	number int
	where  token.Position
	change string
	// Key names it among all of its package. It stays when another declaration changes.
	key string
}

// isChosen reports whether a mutant is one of those that are tried when one of so many is.
func (m mutant) isChosen(every int) bool {
	sum := fnv.New32a()
	_, _ = sum.Write([]byte(m.key)) // A sum takes everything.
	return int(sum.Sum32())%every == 0
}

// A rewriter writes a package with all of its mutants in it. Each asks a switch,
// so one build has them all, and a variable of the environment chooses one.
type rewriter struct {
	*source
	file    *ast.File
	mutants []mutant
	// Declaration is the first line of the one at hand, and same counts its mutants by their change.
	declaration string
	same        map[string]int
	// Results are those of the functions around the statement, the innermost last.
	results []*ast.FieldList
}

// rewrite returns the text of each file, by its name, with its mutants in it, and
// the mutants in order. A declaration in which they do not compile is left as it is.
func rewrite(s *source) (map[string][]byte, []mutant, error) {
	r := &rewriter{source: s}
	asIs := map[ast.Decl]bool{}
	for range 3 {
		r.mutants = nil
		texts, broken, err := r.attempt(asIs)
		if err != nil || len(broken) == 0 {
			return texts, r.mutants, err
		}
		for _, declaration := range broken {
			asIs[declaration] = true
		}
	}
	return nil, nil, fmt.Errorf("%s with its mutants does not compile", s.path)
}

// attempt writes every file, and returns the declarations that no longer compile.
func (r *rewriter) attempt(asIs map[ast.Decl]bool) (map[string][]byte, []ast.Decl, error) {
	texts := map[string][]byte{filepath.Join(r.directory, switchFile): switchSource(r.name)}
	set, files := token.NewFileSet(), []*ast.File{}
	original := map[string]*ast.File{}
	for _, r.file = range r.files {
		name := r.set.File(r.file.FileStart).Name()
		var written strings.Builder
		from := r.file.FileStart
		for _, declaration := range r.file.Decls {
			written.WriteString(r.between(from, declaration.Pos()))
			r.declaration, _, _ = strings.Cut(r.original(declaration), "\n")
			r.same = map[string]int{}
			if asIs[declaration] {
				written.WriteString(r.original(declaration))
			} else {
				written.WriteString(r.render(declaration))
			}
			from = declaration.End()
		}
		written.WriteString(r.between(from, r.file.FileEnd))
		texts[name] = []byte(written.String())
		parsed, err := parser.ParseFile(set, name, texts[name], parser.SkipObjectResolution)
		if err != nil {
			return nil, nil, err
		}
		files, original[name] = append(files, parsed), r.file
	}
	parsed, err := parser.ParseFile(set, switchFile, switchSource(r.name), parser.SkipObjectResolution)
	if err != nil {
		return nil, nil, err
	}
	files = append(files, parsed)
	var broken []ast.Decl
	config := types.Config{Importer: r.imports, Error: func(err error) {
		var problem types.Error
		if !errors.As(err, &problem) || problem.Soft {
			return
		}
		for _, file := range files {
			for i, declaration := range file.Decls {
				if declaration.Pos() <= problem.Pos && problem.Pos < declaration.End() {
					broken = append(broken, original[set.File(file.FileStart).Name()].Decls[i])
				}
			}
		}
	}}
	if _, err := config.Check(r.path, set, files, nil); err != nil && len(broken) == 0 {
		return nil, nil, err
	}
	return texts, broken, nil
}

// render is the text of a node with the mutants of everything in it.
func (r *rewriter) render(node ast.Node) string {
	switch node := node.(type) {
	case *ast.GenDecl:
		if node.Tok != token.VAR {
			return r.original(node)
		}
	case *ast.FuncDecl:
		return r.inFunction(node, node.Type.Results)
	case *ast.FuncLit:
		return r.inFunction(node, node.Type.Results)
	case *ast.FieldList, *ast.TypeSpec, *ast.LabeledStmt, *ast.CommClause:
		return r.original(node)
	case ast.Stmt:
		return r.statement(node)
	case ast.Expr:
		return r.expression(node)
	}
	return r.children(node)
}

func (r *rewriter) inFunction(node ast.Node, results *ast.FieldList) string {
	r.results = append(r.results, results)
	defer func() { r.results = r.results[:len(r.results)-1] }()
	return r.children(node)
}

// children is the text of a node with the mutants of its children, not its own.
func (r *rewriter) children(node ast.Node) string {
	var written strings.Builder
	from := node.Pos()
	ast.Inspect(node, func(child ast.Node) bool {
		if child == nil || child == node {
			return child == node
		}
		if _, isComment := child.(*ast.CommentGroup); isComment || child.Pos() < from {
			return false
		}
		written.WriteString(r.between(from, child.Pos()))
		switch part := partOf(node, child); part {
		case untouchable:
			written.WriteString(r.original(child))
		case header:
			written.WriteString(r.children(child))
		default:
			written.WriteString(r.render(child))
		}
		from = child.End()
		return false
	})
	written.WriteString(r.between(from, node.End()))
	return written.String()
}

// What a node is to the one around it.
const (
	ordinary = iota
	// Untouchable is what is assigned to or must be constant.
	untouchable
	// Header is a statement in the first line of another, which no other can be around.
	header
)

func partOf(parent, child ast.Node) int {
	switch parent := parent.(type) {
	case *ast.AssignStmt:
		if slices.ContainsFunc(parent.Lhs, func(to ast.Expr) bool { return to == child }) {
			return untouchable
		}
	case *ast.IncDecStmt:
		return untouchable
	case *ast.RangeStmt:
		if child == parent.Key || child == parent.Value {
			return untouchable
		}
	case *ast.KeyValueExpr:
		if child == parent.Key {
			return untouchable
		}
	case *ast.UnaryExpr:
		if _, isLiteral := child.(*ast.CompositeLit); parent.Op == token.AND && !isLiteral {
			return untouchable
		}
	case *ast.IfStmt:
		if child == parent.Init {
			return header
		}
	case *ast.ForStmt:
		if child == parent.Init || child == parent.Post {
			return header
		}
	case *ast.SwitchStmt:
		if child == parent.Init {
			return header
		}
	case *ast.TypeSwitchStmt:
		if child == parent.Init || child == parent.Assign {
			return header
		}
	}
	return ordinary
}

// statement is the text of a statement that can be left out, or can return nothing.
func (r *rewriter) statement(node ast.Stmt) string {
	switch node := node.(type) {
	case *ast.ReturnStmt:
		return r.returned(node)
	case *ast.ExprStmt:
		call, isCall := node.X.(*ast.CallExpr)
		if !isCall {
			return r.children(node)
		}
		if name, isName := call.Fun.(*ast.Ident); isName && name.Name == "panic" {
			return r.children(node)
		}
		return r.without(node, "the call is left out")
	case *ast.AssignStmt:
		if node.Tok == token.DEFINE {
			return r.children(node)
		}
		return r.without(node, "the assignment is left out")
	case *ast.IncDecStmt:
		return r.without(node, "the count is left out")
	case *ast.DeferStmt:
		return r.without(node, "the deferred call is left out")
	case *ast.IfStmt:
		if node.Else == nil {
			return r.without(node, "the if is left out")
		}
	case *ast.BranchStmt:
		if node.Tok == token.BREAK || node.Tok == token.CONTINUE {
			return r.without(node, "the "+node.Tok.String()+" is left out")
		}
	}
	return r.children(node)
}

// without is a statement that one mutant leaves out.
func (r *rewriter) without(node ast.Stmt, change string) string {
	number := r.add(node, change)
	return fmt.Sprintf("if !mutantIsOn(%d) { %s }", number, r.children(node))
}

// returned is a return of which each result can be the zero value of its type.
// Truth values are changed as the expressions that they are.
func (r *rewriter) returned(node *ast.ReturnStmt) string {
	var declared []string
	if results := r.results[len(r.results)-1]; results != nil {
		for _, field := range results.List {
			for range max(1, len(field.Names)) {
				declared = append(declared, r.original(field.Type))
			}
		}
	}
	zero := func(i int) string { return "*new(" + declared[i] + ")" }
	var variants strings.Builder
	add := func(change string, results []string) {
		number := r.add(node, change)
		fmt.Fprintf(&variants, "if mutantIsOn(%d) { return %s }; ", number, strings.Join(results, ", "))
	}
	switch {
	case len(node.Results) == 0:
		return r.original(node)
	case len(node.Results) < len(declared):
		var results []string
		for i := range declared {
			results = append(results, zero(i))
		}
		add("returns nothing but zero values", results)
	default:
		for i, result := range node.Results {
			if r.isZero(result) || isBool(r.info.Types[result].Type) {
				continue
			}
			var results []string
			for j, other := range node.Results {
				results = append(results, r.original(other))
				if j == i {
					results[j] = zero(i)
				}
			}
			add("returns the zero value for "+r.original(result), results)
		}
	}
	return "{ " + variants.String() + r.children(node) + " }"
}

// isZero reports whether an expression is the zero value of its type at first sight.
func (r *rewriter) isZero(expression ast.Expr) bool {
	value := r.info.Types[expression]
	if literal, isLiteral := expression.(*ast.CompositeLit); isLiteral {
		_, isStruct := value.Type.Underlying().(*types.Struct)
		return isStruct && len(literal.Elts) == 0
	}
	if value.Value == nil {
		return value.IsNil()
	}
	switch value.Value.Kind() {
	case constant.String:
		return constant.StringVal(value.Value) == ""
	case constant.Bool:
		return !constant.BoolVal(value.Value)
	}
	return constant.Sign(value.Value) == 0
}

// expression is the text of an expression that can have another value.
func (r *rewriter) expression(node ast.Expr) string {
	value := r.info.Types[node]
	switch {
	case value.IsType():
		return r.original(node)
	case value.Value != nil:
		return r.choice(node, value.Type, r.original(node), r.otherConstants(node, value))
	case !isBool(value.Type):
		return r.children(node)
	}
	switch inner := node.(type) {
	case *ast.ParenExpr:
		return r.children(node)
	case *ast.UnaryExpr:
		if inner.Op == token.NOT {
			return r.children(node)
		}
	case *ast.BinaryExpr:
		if other, isComparison := otherOperators[inner.Op]; isComparison {
			changed := r.original(inner.X) + " " + other.String() + " " + r.original(inner.Y)
			variants := []variant{{inner.Op.String() + " is " + other.String(), changed}}
			if inner.Op != token.LAND && inner.Op != token.LOR {
				variants = append(variants, variant{"the condition is negated", "!(" + r.original(node) + ")"})
			}
			return r.choice(node, value.Type, r.children(node), variants)
		}
	}
	return r.choice(node, value.Type, r.children(node), []variant{{"the condition is negated", "!(" + r.original(node) + ")"}})
}

// otherOperators are the neighbor at the boundary of each comparison, and the other
// of the two that join conditions.
var otherOperators = map[token.Token]token.Token{
	token.LSS: token.LEQ, token.LEQ: token.LSS, token.GTR: token.GEQ, token.GEQ: token.GTR,
	token.LAND: token.LOR, token.LOR: token.LAND,
}

// otherConstants are a constant expression with each whole number in it one greater
// and one less, or the other truth value.
func (r *rewriter) otherConstants(node ast.Expr, value types.TypeAndValue) []variant {
	if value.Value.Kind() == constant.Bool {
		return []variant{{r.original(node) + " is the other", "!(" + r.original(node) + ")"}}
	}
	if value.Value.Kind() != constant.Int {
		return nil
	}
	var variants []variant
	ast.Inspect(node, func(child ast.Node) bool {
		switch child := child.(type) {
		case *ast.SelectorExpr: // Constants of other packages stay.
			return false
		case *ast.BasicLit:
			if child.Kind != token.INT {
				return false
			}
		case *ast.Ident:
			if _, isConstant := r.info.Uses[child].(*types.Const); !isConstant || r.info.Uses[child].Pkg() != r.checked {
				return false
			}
			// Those of a type of their own are names of things, not numbers.
			if _, isNamed := r.info.Types[child].Type.(*types.Named); isNamed {
				return false
			}
		default:
			return true
		}
		for _, other := range []string{" + 1", " - 1"} {
			text := r.between(node.Pos(), child.Pos()) + "(" + r.original(child) + other + ")" + r.between(child.End(), node.End())
			if r.isRepresentable(node, value.Type, text) {
				variants = append(variants, variant{r.original(child) + " is " + r.original(child) + other, text})
			}
		}
		return false
	})
	return variants
}

// isRepresentable reports whether a changed constant still fits its type.
func (r *rewriter) isRepresentable(node ast.Expr, of types.Type, text string) bool {
	changed, err := types.Eval(r.set, r.checked, node.Pos(), text)
	if err != nil || changed.Value == nil {
		return false
	}
	basic, isBasic := of.Underlying().(*types.Basic)
	return isBasic && (basic.Info()&types.IsUnsigned == 0 || constant.Sign(changed.Value) >= 0)
}

// A variant is another text for an expression, and what is changed in it.
type variant struct{ change, text string }

// choice is an expression for which a mutant chooses another. It becomes a function,
// in which recover would recover nothing.
func (r *rewriter) choice(node ast.Expr, of types.Type, text string, variants []variant) string {
	name, isNamed := r.nameOf(types.Default(of))
	if !isNamed || len(variants) == 0 || strings.Contains(text, "recover()") {
		return text
	}
	var written strings.Builder
	fmt.Fprintf(&written, "func() %s { ", name)
	for _, variant := range variants {
		fmt.Fprintf(&written, "if mutantIsOn(%d) { return %s }; ", r.add(node, variant.change), variant.text)
	}
	fmt.Fprintf(&written, "return %s }()", text)
	return written.String()
}

// nameOf is how the file at hand names a type, if it can.
func (r *rewriter) nameOf(of types.Type) (string, bool) {
	isNamed := true
	name := types.TypeString(of, func(other *types.Package) string {
		if other == r.checked {
			return ""
		}
		for _, imported := range r.file.Imports {
			if path, _ := strconv.Unquote(imported.Path.Value); path == other.Path() {
				if imported.Name != nil {
					return imported.Name.Name
				}
				return other.Name()
			}
		}
		isNamed = false
		return other.Name()
	})
	return name, isNamed
}

// add is a new mutant's number.
func (r *rewriter) add(node ast.Node, change string) int {
	number := len(r.mutants) + 1
	r.same[change]++
	key := fmt.Sprintf("%s\n%s %d", r.declaration, change, r.same[change])
	r.mutants = append(r.mutants, mutant{number, r.set.Position(node.Pos()), change, key})
	return number
}

func (r *rewriter) original(node ast.Node) string { return r.between(node.Pos(), node.End()) }

// between is the text of the file at hand from one place to another.
func (r *rewriter) between(from, to token.Pos) string {
	start := r.file.FileStart
	return string(r.text[r.file][from-start : to-start])
}

func isBool(of types.Type) bool {
	if of == nil {
		return false
	}
	basic, isBasic := of.Underlying().(*types.Basic)
	return isBasic && basic.Info()&types.IsBoolean != 0
}

// The file that a package with mutants gets.
const switchFile = "mutant_switch.go"

// switchSource is a package's switch. CSR_ONBOARD_MUTANT has the number of the mutant
// that is on, and the file that CSR_ONBOARD_MUTANTS_REACHED names gets those that are
// executed.
func switchSource(name string) []byte {
	return []byte("package " + name + `

import (
	"os"
	"strconv"
	"sync"
)

var (
	mutantThatIsOn, _     = strconv.Atoi(os.Getenv("CSR_ONBOARD_MUTANT"))
	mutantsReachedFile    = os.Getenv("CSR_ONBOARD_MUTANTS_REACHED")
	mutantsReached sync.Map
)

func mutantIsOn(number int) bool {
	if mutantsReachedFile != "" {
		if _, isKnown := mutantsReached.LoadOrStore(number, true); !isKnown {
			file, err := os.OpenFile(mutantsReachedFile, os.O_APPEND|os.O_WRONLY, 0)
			if err == nil {
				file.WriteString(strconv.Itoa(number) + "\n")
				file.Close()
			}
		}
	}
	return number == mutantThatIsOn
}
`)
}
