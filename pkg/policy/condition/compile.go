package condition

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/cel-go/cel"
	"github.com/google/cel-go/common"
	celast "github.com/google/cel-go/common/ast"
	"github.com/google/cel-go/common/types"
	"github.com/google/cel-go/interpreter"
	celconfig "k8s.io/apiserver/pkg/apis/cel"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/identity"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/policy"
)

// longestEvaluation bounds the time of one expression, which its cost bounds as well.
const longestEvaluation = 5 * time.Second

// Compile makes a policy ready to be evaluated. Where an expression cannot be compiled, or costs
// more than is permitted whatever the request, the result says so, with the position.
func (c *Compiler) Compile(of *policy.Policy) *policy.Compiled {
	compiled := &policy.Compiled{Policy: of}
	made := &program{}
	for i, condition := range of.Conditions {
		one, mistake := c.compile(condition.Expression)
		if mistake != nil {
			mistake.Field = policy.ConditionField(i) + ".expression"
			compiled.Mistakes = append(compiled.Mistakes, of.Located(*mistake))
			continue
		}
		made.expressions = append(made.expressions, one)
	}
	if len(compiled.Mistakes) == 0 {
		compiled.Program = made
	}
	return compiled
}

// program evaluates the conditions of a policy.
type program struct{ expressions []*expression }

// expression is one that was compiled.
type expression struct {
	program       cel.Program
	info          *celast.SourceInfo
	dependsOnTime bool
}

func (c *Compiler) compile(text string) (*expression, *policy.Mistake) {
	checked, issues := c.env.Compile(text)
	if issues.Err() != nil {
		return nil, issueOf(issues)
	}
	if !checked.OutputType().IsExactType(cel.BoolType) {
		return nil, &policy.Mistake{At: "1:1", Problem: fmt.Sprintf("it must be true or false (bool), and is of type %s", identity.Printable(checked.OutputType().String()))}
	}
	made, err := c.env.Program(checked, cel.InterruptCheckFrequency(celconfig.CheckFrequency))
	if err != nil {
		return nil, &policy.Mistake{At: "1:1", Problem: identity.PrintableSentence(err.Error())}
	}
	native := checked.NativeRep()
	one := &expression{program: made, info: native.SourceInfo()}
	for _, identifier := range celast.MatchDescendants(celast.NavigateAST(native), celast.KindMatcher(celast.IdentKind)) {
		if name := identifier.AsIdent(); name == varNow || name == varAuthorizer {
			one.dependsOnTime = true
		}
	}
	if err := one.tooExpensive(); err != nil {
		return nil, &policy.Mistake{At: "1:1", Problem: err.Error()}
	}
	return one, nil
}

// issueOf is the first thing that is wrong with an expression.
func issueOf(issues *cel.Issues) *policy.Mistake {
	errs := issues.Errors()
	if len(errs) == 0 {
		return &policy.Mistake{At: "1:1", Problem: identity.PrintableSentence(issues.Err().Error())}
	}
	first := errs[0]
	return &policy.Mistake{At: at(first.Location), Problem: identity.PrintableSentence(first.Message)}
}

// at is a position in an expression, line and column counted from 1.
func at(location common.Location) string {
	return fmt.Sprintf("%d:%d", max(location.Line(), 1), location.Column()+1)
}

// errCost is that an expression costs more than the API server permits.
var errCost = errors.New("it is too expensive: it costs more than an expression can cost in the API server's admission policies")

// tooExpensive reports that an expression costs too much even of a request that has nothing.
func (e *expression) tooExpensive() error {
	if _, _, err := e.evaluate(variablesOf(sample)); errors.Is(err, errCost) {
		return errCost
	}
	return nil
}

// Evaluate evaluates every condition, until all together have cost what is permitted.
func (p *program) Evaluate(facts *policy.Facts) []policy.Evaluated {
	variables := variablesOf(facts)
	results := make([]policy.Evaluated, len(p.expressions))
	var spent uint64
	for i, one := range p.expressions {
		if spent > celconfig.RuntimeCELCostBudget {
			results[i].Err = fmt.Errorf("1:1: %w", errCost)
			continue
		}
		value, cost, err := one.evaluate(variables)
		spent += cost
		results[i] = policy.Evaluated{Value: value, Err: err}
	}
	return results
}

// DependsOnTime reports whether a condition uses the time, or asks what the requester is permitted
// to do.
func (p *program) DependsOnTime() bool {
	for _, one := range p.expressions {
		if one.dependsOnTime {
			return true
		}
	}
	return false
}

func (e *expression) evaluate(variables map[string]any) (value bool, cost uint64, _ error) {
	ctx, cancel := context.WithTimeout(context.Background(), longestEvaluation)
	defer cancel()
	result, details, err := e.program.ContextEval(ctx, variables)
	if details != nil && details.ActualCost() != nil {
		cost = *details.ActualCost()
	}
	if err != nil {
		return false, cost, e.located(err)
	}
	value, isBool := result.Value().(bool)
	if !isBool {
		return false, cost, errors.New("1:1: it is neither true nor false")
	}
	return value, cost, nil
}

// located adds to an error where in the expression it happened.
func (e *expression) located(err error) error {
	var canceled interpreter.EvalCancelledError
	if errors.As(err, &canceled) && canceled.Cause == interpreter.CostLimitExceeded {
		return fmt.Errorf("1:1: %w", errCost)
	}
	var failed *types.Err
	if errors.As(err, &failed) && failed.NodeID() > 0 {
		return fmt.Errorf("%s: %w", at(e.info.GetStartLocation(failed.NodeID())), err)
	}
	return fmt.Errorf("1:1: %w", err)
}
