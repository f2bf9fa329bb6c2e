"""What stands between the parentheses of an `if`."""

from __future__ import annotations

from upwire.conf.model.assembly import Assembly, Wrong, compile_regex
from upwire.conf.model.types.rewrite import Condition, Predicate
from upwire.conf.regex import Regex
from upwire.conf.syntax import Directive, Position
from upwire.conf.variables import Template

Word = tuple[str, Position]

_COMPARISONS = {"=": Predicate.EQUALS, "~": Predicate.MATCHES, "~*": Predicate.MATCHES}
_FILE_TESTS = {
    test.value: test
    for test in (
        *(Predicate.IS_FILE, Predicate.IS_DIRECTORY),
        *(Predicate.EXISTS, Predicate.IS_EXECUTABLE),
    )
}


def read_condition(directive: Directive, assembly: Assembly) -> Condition:
    """Return what stands between the parentheses of an `if`."""
    words = condition_words(directive)
    if not words:
        raise Wrong('invalid condition ")"', directive.arg_positions[0])
    first, at = words[0]
    if first.startswith("$") and len(first) > 1:
        return _read_comparison(words, assembly)
    negation = "!" if first.startswith("!") else ""
    test = _FILE_TESTS.get(first.removeprefix("!"))
    if test is None or len(words) != 2:
        raise Wrong(f'invalid condition "{first}"', at)
    return Condition(assembly.template(words[1][0]), test, is_negated=bool(negation))


def condition_words(directive: Directive) -> list[Word]:
    """Return the words of a condition, without the parentheses; raises Wrong where they lack."""
    words = list(zip(directive.args, directive.arg_positions, strict=True))
    first, at = words[0]
    if not first.startswith("("):
        raise Wrong(f'invalid condition "{first}"', at)
    words[0] = (first[1:], at)
    last, at = words[-1]
    if not last.endswith(")"):
        raise Wrong(f'invalid condition "{last}"', at)
    words[-1] = (last[:-1], at)
    return [word for place, word in enumerate(words) if word[0] or 0 < place < len(words) - 1]


def _read_comparison(words: list[Word], assembly: Assembly) -> Condition:
    subject, at = words[0]
    if len(words) == 1:
        return Condition(assembly.template(subject), Predicate.IS_SET)
    if len(words) != 3:
        raise Wrong(f'invalid condition "{subject}"', at)
    operator, at = words[1]
    test = _COMPARISONS.get(operator.removeprefix("!"))
    if test is None:
        raise Wrong(f'unexpected "{operator}" in condition', at)
    text, at = words[2]
    operand: Template | Regex
    if test is Predicate.EQUALS:
        operand = assembly.template(text)
    else:
        operand = compile_regex(text, at, is_caseless=operator.endswith("*"))
    return Condition(assembly.template(subject), test, operand, operator.startswith("!"))
