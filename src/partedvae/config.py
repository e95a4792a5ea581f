"""Every setting, its meaning and its default, in one frozen place; and the published presets."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError, ValidatorFunctionWrapHandler, field_validator

Auto = Literal["auto"]
_MOST = 2**16  # columns: more than a layer of any model like this has, and few enough for the memory to tell
Proportions = list[Annotated[float, Field(allow_inf_nan=True)]]  # which are looked at beside the labels


class Config(BaseModel):
    """Settings of a model and of its training. Names are the symbols of docs/method.md, in words where they have some.

    >>> Config().u_dim
    10
    >>> Config(u_dim=0)
    Traceback (most recent call last):
    ...
    pydantic_core._pydantic_core.ValidationError: 1 validation error for Config
    ...
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    u_dim: int = Field(10, ge=1, le=_MOST, description="columns of the class-related code of each attribute, d_u")
    z_dim: int = Field(6, ge=0, le=_MOST, description="columns of the class-independent code, d_z; 0 for none")
    hidden_dim: int = Field(256, ge=1, le=_MOST, description="size of the shared hidden features h")
    likelihood: Literal["auto", "bernoulli", "gaussian", "laplace"] = Field(
        "auto",
        description="p(x|u,z); auto: bernoulli for grey images and for features of 0 and 1 only, laplace for colour "
        "images, gaussian for other features",
    )
    scale: Annotated[float, Field(gt=0)] | Literal["fit"] = Field(
        "fit", description="scale of the gaussian or laplace likelihood; fit: learned with the decoder"
    )
    attention: bool = Field(
        True, description="class attention in front of u; false: u sees all of h and does not know the class (ablation)"
    )
    prior: Literal["mixture", "normal"] = Field(
        "mixture", description="p(u|c); normal: N(0, I) whatever the class, so that samples know no class (ablation)"
    )
    class_prior: Literal["auto", "uniform", "estimated"] | Proportions | list[Proportions] = Field(
        "auto",
        description="pi: class proportions, in the order of classes_, one list an attribute if several; estimated: "
        "those of the labels, one added to each count; auto: their square roots, so halfway to uniform; uniform: as "
        "published",
    )

    gamma_x: Annotated[float, Field(ge=0)] | Auto = Field(
        "auto",
        description="weight of the reconstruction; auto: 1024 / (numbers in an observation), for features at most 1",
    )
    gamma_z: float = Field(15.0, ge=0, description="weight of |C_z - KL(z)|")
    gamma_u: float = Field(15.0, ge=0, description="weight of |C_u - KL(u)|")
    gamma_c: float = Field(15.0, ge=0, description="weight of KL(mean q(c|x) || pi)")
    gamma_h: float = Field(0.0, ge=0, description="weight of the entropy of q(c|x); above 0: as published")
    gamma_bc: float = Field(30.0, ge=0, description="weight of the overlap of classes in the prior of u")
    bc_threshold: float = Field(0.15, ge=0, le=1, description="theta: the overlap of two classes that costs nothing")
    gamma_zc: float = Field(40.0, ge=0, description="weight of how much z tells of the class; 0: as published")
    gamma_swap: float = Field(
        15.0, ge=0, description="weight of swaps in which the predictor sees another class than u's; 0: as published"
    )
    z_capacity: float = Field(7.0, ge=0, description="nats that z may carry in the end, C_z max")
    u_capacity: float = Field(7.0, ge=0, description="nats that u may carry in the end, C_u max")
    capacity_steps: Annotated[int, Field(ge=1)] | Auto = Field(
        "auto", description="step at which both capacities reach their maximum; auto: half of the run, 1: no schedule"
    )
    capacity_width: float = Field(
        2.0,
        ge=0,
        description="nats around a capacity within which |C - KL| is rounded, so that it does not push to and fro; "
        "0: as published",
    )
    sharpness_steps: Annotated[int, Field(ge=1)] | Auto = Field(
        "auto", description="step at which class attention is sharpest; auto: half of the run"
    )

    fit_prior: bool = Field(
        True, description="after training, fit p(u|c) and the units of z to the codes of the observations"
    )
    max_epochs: int = Field(100, ge=1, description="passes over the observations")
    batch_size: int = Field(64, ge=1, description="observations a step; as many labelled ones beside them")
    supervised: bool = Field(True, description="learn from the labels; false: they only name the classes (ablation)")
    consistency: Annotated[float, Field(ge=0)] | Auto = Field(
        "auto",
        description="weight, beside the labels, of what the predictor should say of changed and blended observations; "
        "auto: 2 for pictures, and where augment says how observations may change, else 0; 0: as published",
    )
    consistency_steps: int = Field(
        5_000,
        ge=1,
        description="steps for which consistency counts; over as many more it fades, before wrong guesses confirm each "
        "other",
    )
    memorised_after: int = Field(
        150,
        ge=0,
        description="labelled pictures that a run shows less often are shown as they are; more often, they would be "
        "learned by heart, and are changed where consistency is asked for; 0: always",
    )
    label_smoothing: Annotated[float, Field(ge=0, lt=1)] | Auto = Field(
        "auto",
        description="share of each label that is spread over all classes; auto: 0.1 for features without an augment, "
        "else 0; 0: as published",
    )
    labelled_dropout: Annotated[float, Field(ge=0, lt=1)] | Auto = Field(
        "auto",
        description="share of the hidden units that a labelled step leaves out; auto: 0.5 for features without an "
        "augment, else 0; 0: as published",
    )
    balance_labels: bool = Field(
        True, description="deal labelled observations so that all classes come equally often, however few one has"
    )
    calibration_fraction: float = Field(
        0.33,
        ge=0,
        lt=1,
        description="share of the labels of each class, beyond five, that teach only in the second half of the epochs; "
        "until then they tell how sure to be; with early_stopping none waits; 0: as published",
    )
    lr: float = Field(1e-3, gt=0, description="learning rate of the main Adam")
    lr_labelled: float = Field(3e-3, gt=0, description="learning rate of the labelled Adam")
    lr_labelled_end: float = Field(
        0.2, gt=0, le=1, description="what is left of lr_labelled at the end, to which it falls along a cosine; 1: all"
    )
    lr_patience: int | None = Field(
        None, ge=0, description="epochs without progress after which a learning rate is halved; null: never"
    )
    averaged_steps: int = Field(
        100,
        ge=0,
        description="steps whose weights the fitted model averages, at most a tenth of the run; 0: as published",
    )
    validation_fraction: float = Field(
        0.0, ge=0, lt=1, description="share of the observations that training does not see and validation does"
    )
    early_stopping: bool = Field(False, description="stop when the validation loss no longer falls, keep the best")
    early_stopping_patience: int = Field(10, ge=1, description="epochs that early stopping waits")
    random_state: int | None = Field(
        None, ge=0, lt=2**63, description="seed; null: a different model each time, on the command line 0"
    )

    @field_validator("*", mode="wrap")
    @classmethod
    def _no_switch(cls, value: Any, validate: ValidatorFunctionWrapHandler) -> Any:
        """Refuse true and false where Python takes them for the numbers 1 and 0."""
        valid = validate(value)
        if isinstance(value, bool | np.bool_) and not isinstance(valid, bool):
            raise ValueError("a number, not true or false")
        return valid

    @classmethod
    def checked(cls, settings: Mapping[str, Any]) -> Config:
        """The configuration, or a ValueError of one line that names each setting at fault."""
        try:
            return cls.model_validate(dict(settings))
        except ValidationError as error:
            raise ValueError(_one_line(error)) from None


def _said(message: str) -> str:
    return message.removeprefix("Input should be ").removeprefix("Value error, ")


def _one_line(error: ValidationError) -> str:
    problems: dict[str, list[str]] = {}
    values: dict[str, object] = {}
    for problem in error.errors():
        name = str(problem["loc"][0])
        if problem["type"] == "extra_forbidden":
            known = ", ".join(Config.model_fields)
            return f"There is no setting {name!r}. The settings are: {known}."
        problems.setdefault(name, []).append(_said(problem["msg"]))
        values.setdefault(name, problem["input"])
    return "; ".join(
        f"{name}={values[name]!r}: should be {' or '.join(dict.fromkeys(messages))}"
        for name, messages in problems.items()
    )


_CELEBA_PRIOR = [
    [0.42, 0.33, 0.18, 0.06],
    [0.9, 0.07, 0.03],
    [0.85, 0.15],
    [0.74, 0.15, 0.11],
    [0.93, 0.07],
    [0.47, 0.53],
    [0.95, 0.05],
    [0.57, 0.43],
]

_WITHOUT_OURS: dict[str, Any] = {
    "class_prior": "uniform",
    "capacity_width": 0.0,
    "gamma_zc": 0.0,
    "gamma_swap": 0.0,
    "consistency": 0.0,
    "label_smoothing": 0.0,
    "labelled_dropout": 0.0,
    "fit_prior": False,
    "gamma_h": 5.0,
    "lr_labelled": 1e-3,
    "lr_labelled_end": 1.0,
    "averaged_steps": 0,
    "calibration_fraction": 0.0,
}

_PUBLISHED: dict[str, Any] = _WITHOUT_OURS | {
    "gamma_x": 1.0,
    "sharpness_steps": 35_000,
    "max_epochs": 80,
    "batch_size": 64,
    "balance_labels": False,
    "lr": 5e-4,
    "lr_labelled": 5e-4,
}

PRESETS: Mapping[str, Mapping[str, Any]] = {
    "default": {},
    "paper": _WITHOUT_OURS,
    "paper-mnist": _PUBLISHED
    | {
        "z_dim": 6,
        "u_dim": 10,
        "likelihood": "bernoulli",
        "z_capacity": 7.0,
        "u_capacity": 7.0,
        "capacity_steps": 100_000,
        "gamma_z": 15.0,
        "gamma_u": 15.0,
        "gamma_c": 15.0,
        "gamma_h": 30.0,
        "gamma_bc": 30.0,
        "bc_threshold": 0.15,
        "lr_patience": 2,
    },
    "paper-dsprites": _PUBLISHED
    | {
        "z_dim": 5,
        "u_dim": 1,
        "likelihood": "bernoulli",
        "z_capacity": 30.0,
        "u_capacity": 5.0,
        "capacity_steps": 300_000,
        "gamma_z": 50.0,
        "gamma_u": 50.0,
        "gamma_c": 100.0,
        "gamma_h": 10.0,
        "gamma_bc": 10.0,
        "bc_threshold": 0.1,
        "lr_patience": 1,
    },
    "paper-celeba": _PUBLISHED
    | {
        "z_dim": 10,
        "u_dim": 1,
        "likelihood": "laplace",
        "scale": 1.0,
        "class_prior": _CELEBA_PRIOR,
        "z_capacity": 30.0,
        "u_capacity": 15.0,
        "capacity_steps": 125_000,
        "gamma_z": 1000.0,
        "gamma_u": 1000.0,
        "gamma_c": 2000.0,
        "gamma_h": 10.0,
        "gamma_bc": 500.0,
        "bc_threshold": 0.2,
        "lr_patience": 2,
    },
}
"""What each preset changes in ``Config``. The ``paper-`` ones hold the published settings; ``paper`` has
the published terms, with lengths and weights that follow the data."""


def preset(name: str) -> Mapping[str, Any]:
    """The settings of a preset, or a ValueError that lists the presets.

    >>> preset("paper-mnist")["gamma_h"]
    30.0
    """
    if name not in PRESETS:
        raise ValueError(f"There is no preset {name!r}. The presets are: {', '.join(PRESETS)}.")
    return PRESETS[name]


def to_json(config: Config) -> dict[str, Any]:
    """The settings as plain values that JSON can hold."""
    plain: dict[str, Any] = json.loads(config.model_dump_json())
    return plain
