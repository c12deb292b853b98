"""The rule function's arguments and errors, which both workers share. No module of a worker is imported here."""

from osprey.engine.ast_validator.validation_context import ValidationContext
from osprey.engine.executor.execution_context import ExpectedUdfException, ExternalServiceException
from osprey.engine.udf.arguments import ArgumentsBase, ConstExpr
from result import Err, Ok, Result

from .client import Answer, Failure, Question

EFFORTS = ('none', 'low', 'medium', 'high')


class Unresolved(ExpectedUdfException):
    """The server works, but has no verdict on this text. Osprey does not report this error."""


class Unavailable(ExternalServiceException):
    """The server is not reachable, overloaded or set up differently. Osprey reports this error."""


class MagistrateArguments(ArgumentsBase):
    text: str
    """The text to judge."""

    policy: ConstExpr[str]
    """The id of a policy that the server has, such as `spam`."""

    effort: ConstExpr[str] = ConstExpr.for_default('effort', 'none')
    """The amount of reasoning before the answer: `none`, `low`, `medium` or `high`."""


def check_arguments(context: ValidationContext, arguments: MagistrateArguments) -> None:
    """Adds an error to the rules if the policy is empty or the effort unknown."""
    if not arguments.policy.value.strip():
        context.add_error(message='the policy has no id', span=arguments.policy.argument_span)
    if arguments.effort.value not in EFFORTS:
        hint = f'one of {", ".join(EFFORTS)}'
        context.add_error(message='unknown effort', span=arguments.effort.argument_span, hint=hint)


def question(arguments: MagistrateArguments) -> Question:
    return Question(arguments.text, arguments.policy.value, arguments.effort.value)


def routing_key(asked: Question) -> str:
    """Returns the same key for questions that may share a request: those with the same policy and effort."""
    return f'{asked.effort} {asked.policy}'


def result(answer: Answer) -> Result[float, Exception]:
    if not isinstance(answer, Failure):
        return Ok(answer)
    error = Unresolved if answer.of_text else Unavailable
    return Err(error(f'magistrate: {answer.reason}'))


def probability(answer: Answer) -> float:
    """Returns the probability, or raises. No text is a local variable here, so no error report can contain one."""
    outcome = result(answer)
    if outcome.is_err():
        raise outcome.value
    return outcome.value
