"""The rule function for Osprey's asyncio worker."""

from collections.abc import Sequence
from typing import Any

from osprey.async_worker.adaptor.interfaces import AsyncBatchableUDFBase
from osprey.async_worker.adaptor.plugin_manager import hookimpl_osprey_async
from osprey.engine.ast_validator.validation_context import ValidationContext
from osprey.engine.executor.execution_context import ExecutionContext
from osprey.engine.stdlib.udfs.categories import UdfCategories
from osprey.engine.udf.base import UDFBase
from result import Result

from . import rule
from .client import Question, ask_async
from .rule import MagistrateArguments


class Magistrate(AsyncBatchableUDFBase[MagistrateArguments, float, Question]):
    """The probability that the text violates the policy, from 0 to 1. Without a verdict the call fails."""

    category = UdfCategories.HTTP

    def __init__(self, validation_context: ValidationContext, arguments: MagistrateArguments):
        super().__init__(validation_context, arguments)
        rule.check_arguments(validation_context, arguments)

    @classmethod
    def _get_udf_base_args(cls) -> tuple[type, ...]:
        # Osprey's own search finds the type variables of `AsyncBatchableUDFBase` instead of their values.
        return (MagistrateArguments, float, Question)

    def get_batchable_arguments(self, arguments: MagistrateArguments) -> Question:
        return rule.question(arguments)

    def get_batch_routing_key(self, arguments: Question) -> str:
        return rule.routing_key(arguments)

    async def async_execute(self, execution_context: ExecutionContext, arguments: MagistrateArguments) -> float:
        return rule.probability((await ask_async([rule.question(arguments)]))[0])

    async def async_execute_batch(
        self,
        execution_context: ExecutionContext,
        udfs: Sequence[UDFBase[Any, Any]],
        arguments: Sequence[Question],
    ) -> Sequence[Result[float, Exception]]:
        return [rule.result(answer) for answer in await ask_async(arguments)]


@hookimpl_osprey_async
def register_udfs() -> Sequence[type[UDFBase[Any, Any]]]:
    return [Magistrate]
