package main

import (
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"path/filepath"
	"reflect"
	"strings"

	"github.com/invopop/jsonschema"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/pki"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/render/report"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/render/revocations"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/request"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/teamfile"
)

// schemaAddress is where the schemas are, in front of a file's name.
const schemaAddress = "https://raw.githubusercontent.com/csr-onboard/kubectl-csr-onboard/main/docs/schema/"

// schemas are the JSON schemas of what the program prints for scripts, and of the team file.
func schemas() (map[string][]byte, error) {
	// The sources are where this module is, two directories below the root.
	comments, err := commentsIn("../../pkg/render/report", "../../pkg/render/revocations")
	if err != nil {
		return nil, err
	}
	reflector := jsonschema.Reflector{
		Anonymous: true, AllowAdditionalProperties: true, ExpandedStruct: true,
		LookupComment: func(t reflect.Type, field string) string { return comments[t.Name()+"."+field] },
	}
	pages := map[string][]byte{}
	forms := report.Forms()
	maps.Copy(forms, revocations.Forms())
	for kind, form := range forms {
		schema := reflector.Reflect(form)
		identify(schema, kind, report.APIVersion)
		if err := addSchema(pages, kind, schema); err != nil {
			return nil, err
		}
	}
	return pages, addSchema(pages, teamfile.Kind, teamSchema())
}

// commentsIn are the comments of the types in directories, by TYPE., and of their fields, by
// TYPE.FIELD. The library itself reads those of exported types only.
func commentsIn(directories ...string) (map[string]string, error) {
	comments := map[string]string{}
	var files []string
	for _, directory := range directories {
		found, err := filepath.Glob(filepath.Join(directory, "*.go"))
		if err != nil {
			return nil, err
		}
		files = append(files, found...)
	}
	for _, path := range files {
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ParseComments)
		if err != nil {
			return nil, err
		}
		for _, declaration := range file.Decls {
			general, isGeneral := declaration.(*ast.GenDecl)
			if !isGeneral || general.Tok != token.TYPE {
				continue
			}
			for _, spec := range general.Specs {
				named := spec.(*ast.TypeSpec)
				comments[named.Name.Name+"."] = sentence(general.Doc)
				form, isStruct := named.Type.(*ast.StructType)
				if !isStruct {
					continue
				}
				for _, field := range form.Fields.List {
					for _, name := range field.Names {
						comments[named.Name.Name+"."+name.Name] = sentence(field.Doc)
					}
				}
			}
		}
	}
	return comments, nil
}

// sentence is a comment in one line.
func sentence(comment *ast.CommentGroup) string {
	return strings.Join(strings.Fields(comment.Text()), " ")
}

// identify pins the kind and the version of a form, and the address of its schema.
func identify(schema *jsonschema.Schema, kind, version string) {
	schema.Title = kind
	schema.ID = jsonschema.ID(schemaAddress + fileOf(kind))
	for name, value := range map[string]string{"kind": kind, "apiVersion": version} {
		if property, known := schema.Properties.Get(name); known {
			property.Const = value
		}
	}
}

func fileOf(kind string) string { return strings.ToLower(kind) + ".json" }

func addSchema(pages map[string][]byte, kind string, schema *jsonschema.Schema) error {
	encoded, err := json.MarshalIndent(schema, "", "  ")
	pages[fileOf(kind)] = append(encoded, '\n')
	return err
}

// teamSchema is the schema of the file of new-user --filename, which has no field but these.
func teamSchema() *jsonschema.Schema {
	text := func(meaning string) *jsonschema.Schema {
		return &jsonschema.Schema{Type: "string", Description: meaning}
	}
	user := &jsonschema.Schema{Type: "object", Properties: jsonschema.NewProperties(), Required: []string{"name"}, AdditionalProperties: jsonschema.FalseSchema}
	for _, field := range teamfile.Fields() {
		schema := text(field.Meaning)
		if field.IsList {
			schema = &jsonschema.Schema{Type: "array", Items: text(""), Description: field.Meaning}
		}
		switch field.Name {
		case "keyAlgorithm":
			schema.Enum = anyOf(pki.KeyAlgorithms())
		case "allow":
			schema.Items.Enum = anyOf(request.ReturnFindings)
		}
		user.Properties.Set(field.Name, schema)
	}
	team := &jsonschema.Schema{
		Version: jsonschema.Version, Type: "object", Properties: jsonschema.NewProperties(),
		Required: []string{"apiVersion", "kind", "users"}, AdditionalProperties: jsonschema.FalseSchema,
		Description: "Users to onboard with kubectl csr-onboard new-user --filename.",
	}
	team.Properties.Set("apiVersion", text(""))
	team.Properties.Set("kind", text(""))
	team.Properties.Set("users", &jsonschema.Schema{Type: "array", Items: user, Description: "The users."})
	identify(team, teamfile.Kind, teamfile.APIVersion)
	return team
}

func anyOf(words []string) []any {
	values := make([]any, len(words))
	for i, word := range words {
		values[i] = word
	}
	return values
}
