"""The types of rows and settings."""

from __future__ import annotations

import os
from typing import Any, Callable, Dict, Mapping, Optional, Sequence, Tuple, TypedDict, Union


class Source(TypedDict):
    """Name and digest of a policy, a model or a template."""

    id: str
    digest: str


class RowError(TypedDict, total=False):
    """The reason for a missing verdict."""

    code: str
    message: str
    hint: str


class Row(TypedDict, total=False):
    """The verdict on one text under one policy. With `fields=`, it has those, `status` and `error`."""

    id: Union[str, int, float, None]
    status: str
    verdict: Optional[str]
    label: Optional[str]
    category: Optional[str]
    category_title: Optional[str]
    severity: Optional[str]
    probability: Optional[float]
    label_probability: Optional[float]
    mass: Optional[float]
    cascade: Optional[Dict[str, Any]]
    calibrated: Optional[float]
    decision: Optional[str]
    threshold: Optional[float]
    min_mass: Optional[float]
    repaired: bool
    rationale: Optional[str]
    reasoning: Optional[str]
    policy: Source
    model: Source
    template: Source
    effort: str
    version: str
    usage: Optional[Dict[str, Any]]
    pieces: Optional[Dict[str, int]]
    error: Optional[RowError]


class Settings(TypedDict, total=False):
    """The settings of a call: the long flags of the command, with `_` for `-`."""

    model: Union[str, "os.PathLike[str]"]
    threshold: float
    min_mass: float
    effort: str
    sure: Union[float, str]
    cascade: Tuple[float, float]
    budget: int
    chunk: Union[bool, int]
    max_content_tokens: int
    temperature: float
    seed: int
    date: str
    decode: str
    reasoning: bool
    certificate: Union[str, "os.PathLike[str]"]
    labels: Mapping[str, str]
    templates: Union[str, "os.PathLike[str]"]
    reproducible: bool
    daemon: Union[bool, int]
    parallel: int
    workers: int
    context: int
    threads: int
    device: Union[str, Sequence[str]]
    gpu_layers: int
    cpu_experts: int
    memory: str
    kv: str
    layout: str
    flash_attention: str
    micro_batch: int
    kernels: str
    repack: bool
    no_prefix_store: bool
    remote: str
    remote_model: str
    remote_key: Union[str, "os.PathLike[str]"]
    remote_level: str
    remote_timeout: int


Progress = Union[bool, None, Callable[[int, int], object]]
"""Receives the finished rows and all rows. `None` shows a line on a terminal and in a notebook, `False` nothing."""
