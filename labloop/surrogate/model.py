"""The transferred surrogate: a mixture of experts as a BoTorch model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NoReturn, cast

import numpy as np
import pandas as pd
import torch
from botorch.acquisition.objective import PosteriorTransform, ScalarizedPosteriorTransform
from botorch.models.model import Model
from botorch.posteriors import Posterior
from numpy.typing import NDArray
from torch import Tensor

from labloop.errors import RefusedError
from labloop.surrogate.correlation import left_out_residuals, response_correlation
from labloop.surrogate.experts import Expert
from labloop.surrogate.pathwise import FunctionDraws, draw_functions
from labloop.surrogate.points import Describer, Points
from labloop.surrogate.posterior import MixturePosterior
from labloop.surrogate.scaling import Array
from labloop.surrogate.streaming import Predictions, needs_double, stream_predictions
from labloop.surrogate.training import Progress, silent
from labloop.surrogate.trust import Plan, trust_of


class Surrogate(Model):
    """The transferred surrogate: a mixture of experts for each response, as a BoTorch model.

    `experts` names the K experts; `weights` (K, m) are their shares, set by stacking; `rows` (m,)
    counts the own values of each response; `level`, `scale` (m,) are the campaign's, in the units
    of Y; `noise` (m,) is the variance of a new measurement like the own ones, in squared units of
    Y; `correlation` (m, m) is that of the responses in joint draws.
    """

    def __init__(
        self, describer: Describer, experts: dict[str, list[Expert]], weights: Array,
        level: Array, scale: Array, rows: NDArray[np.int64], y: Array,
    ) -> None:  # fmt: skip
        super().__init__()
        self.experts = tuple(experts)
        self.level, self.scale, self.rows = level, scale, rows
        self._describe = describer
        self._processes = experts
        self._single = {name: [e.to(torch.float32) for e in each] for name, each in experts.items()}
        self._needs_double = needs_double(experts)
        self._standard = y
        self.weights = weights
        noise = [[float(e.noise) for e in each] for each in experts.values()]
        self._noise = torch.tensor(noise, dtype=torch.float64)
        self.noise = (weights * self._noise.numpy()).sum(0) * scale**2
        residuals = left_out_residuals(experts, torch.as_tensor(weights), torch.as_tensor(y))
        self.correlation = cast(Array, response_correlation(residuals).numpy())

    @property
    def num_outputs(self) -> int:
        """Number of responses."""
        return len(self.level)

    @property
    def batch_shape(self) -> torch.Size:
        """The model itself is not batched."""
        return torch.Size()

    def subset_output(self, idcs: list[int]) -> Surrogate:
        """Return the surrogate of some of the responses alone, as BoTorch's models do."""
        return Surrogate(
            self._describe,
            {name: [each[j] for j in idcs] for name, each in self._processes.items()},
            self.weights[:, idcs], self.level[idcs], self.scale[idcs], self.rows[idcs],
            self._standard[:, idcs],
        )  # fmt: skip

    def posterior(
        self,
        X: Tensor,
        output_indices: list[int] | None = None,
        observation_noise: bool | Tensor = False,
        posterior_transform: PosteriorTransform | None = None,
    ) -> Posterior:
        """Return the joint posterior at encoded rows `X` (*b, q, D), with gradients.

        `observation_noise=True` adds the variance of a new measurement; a tensor (*b, q, m) of
        variances adds those; the noises of the responses of one measurement are correlated as
        the responses are. A scalarising `posterior_transform` gives the mixture of the weighted
        sums; others are called with the posterior.
        Raises RefusedError where rows have not the columns that the surrogate was fitted to.
        """
        columns = len(self._describe.varying)
        if X.dim() < 2 or X.shape[-1] != columns:
            raise RefusedError(
                f"X has the shape {tuple(X.shape)}: give rows of the {columns} columns that the "
                f"surrogate was fitted to, (…, rows, {columns})."
            )
        wanted = range(self.num_outputs) if output_indices is None else output_indices
        points = self._describe(X.double())
        size = X.shape[-2]
        means, covariances = [], []
        for number, each in enumerate(self._processes.values()):
            moments = [each[j].joint(points) for j in wanted]
            mean = torch.stack([m for m, _ in moments], -2)
            covariance = torch.stack([c.expand(*m.shape, size) for m, c in moments], -3)
            if observation_noise is True:
                extra = self._noise[number, list(wanted)].unsqueeze(-1).expand(mean.shape)
                covariance = covariance + torch.diag_embed(extra)
            means.append(mean)
            covariances.append(covariance)
        scale = torch.as_tensor(self.scale)[list(wanted)].unsqueeze(-1)
        level = torch.as_tensor(self.level)[list(wanted)].unsqueeze(-1)
        mean = torch.stack(means, -3) * scale + level
        covariance = torch.stack(covariances, -4) * scale.unsqueeze(-1) ** 2
        if isinstance(observation_noise, Tensor):
            variances = observation_noise[..., list(wanted)].double().mT.unsqueeze(-3)
            covariance = covariance + torch.diag_embed(variances.expand(mean.shape))
        weights = torch.as_tensor(self.weights[:, list(wanted)])
        correlation = torch.as_tensor(self.correlation)[list(wanted)][:, list(wanted)]
        posterior = MixturePosterior(mean, covariance, weights, correlation)
        if posterior_transform is None:
            return posterior
        if isinstance(posterior_transform, ScalarizedPosteriorTransform):
            return posterior.scalarize(posterior_transform.weights, posterior_transform.offset)
        return cast(Posterior, posterior_transform(posterior))

    def condition_on_observations(self, X: Tensor, Y: Tensor, **kwargs: Any) -> NoReturn:
        """Refuse: fine-tuned networks have no closed form of it."""
        raise NotImplementedError(
            "A Surrogate cannot be conditioned on more observations, because its networks would "
            "have to be tuned anew: add the rows to the campaign's own and call "
            "labloop.surrogate.fit again."
        )

    def fantasize(self, X: Tensor, *args: Any, **kwargs: Any) -> NoReturn:
        """Refuse, as it would need `condition_on_observations`."""
        raise NotImplementedError(
            "A Surrogate has no fantasy models, because its networks would have to be tuned anew "
            "for each: use an acquisition function of joint draws, such as "
            "qLogNoisyExpectedImprovement with X_pending."
        )

    def mean_and_variance(
        self,
        X: NDArray[np.floating] | Tensor,
        *,
        chunk: int = 1024,
        by_expert: bool = False,
        progress: Progress = silent,
    ) -> Predictions:
        """Predict any number of rows (n, D) in constant memory.

        Work is done in chunks that nearly fit the processor's cache. One chunk or less is computed
        in double precision; more rows in single precision, unless the smallest noise of any
        Gaussian process's rows is below a thousandth of its prior variance, where single
        precision would get mean and variance wrong. `by_expert` also returns each expert's
        moments, from which expected improvement under the mixture is exact.
        """
        double = self._needs_double or len(X) <= chunk
        return stream_predictions(
            self._describe, self._processes if double else self._single, self.weights, self.level,
            self.scale, X, torch.float64 if double else torch.float32, chunk=chunk,
            by_expert=by_expert, progress=progress,
        )  # fmt: skip

    def draw(self, X: NDArray[np.floating] | Tensor, samples: int, *, seed: int = 0) -> Array:
        """Draw whole functions jointly at rows `X` (n, D): (samples, n, m) in the units of Y.

        Costs n³ for each expert and response: meant for a shortlist of up to a few thousand;
        `sample_functions` has no such limit.
        """
        with torch.no_grad():
            posterior = self.posterior(torch.as_tensor(np.asarray(X), dtype=torch.float64))
            generator = torch.Generator().manual_seed(seed)
            shape = torch.Size([samples, len(X), self.num_outputs])
            base = torch.randn(shape, generator=generator, dtype=torch.float64)
            # Where the turns of the experts begin is drawn too: a single draw may be of any.
            drawn = cast(MixturePosterior, posterior).rsample_from_base_samples(
                torch.Size([samples]), base,
                offset=float(torch.rand((), generator=generator)),
            )  # fmt: skip
        return cast(Array, drawn.numpy())

    def sample_functions(self, samples: int, *, seed: int = 0) -> FunctionDraws:
        """Draw whole functions that can be evaluated at any number of rows, at O(1) each.

        Unlike with `draw`, more rows may come later and see the same functions. The Matérn
        kernel's prior is approximated by random features; see `labloop.surrogate.pathwise`.
        """
        frequencies, paths = draw_functions(
            self._describe, self._processes, torch.as_tensor(self.weights),
            torch.as_tensor(self.correlation), len(self._standard), samples, seed,
        )  # fmt: skip
        dtype = torch.float64 if self._needs_double else torch.float32
        ready = tuple((j, draws, path.to(dtype)) for j, draws, path in paths)
        return FunctionDraws(
            samples, self._describe, frequencies.to(dtype), ready, self.level, self.scale, dtype
        )

    def trust(
        self,
        responses: Sequence[str] | None = None,
        planned: Array | None = None,
        over: Array | None = None,
    ) -> pd.DataFrame:
        """Return how far each response follows the history, in numbers and a sentence.

        One row a response: `b` and `b_sd` the fitted scale of the history's prediction (1 = as
        the history says, 0 = no relation; NaN where there is none); `history_share` the share of
        the mixture that stands on the history; `score_<expert>` the mean log predictive density
        of rows left out, in standardised units (higher is better; NaN without rows), over the
        rows that every expert can leave out; `weight_<expert>` its share of the mixture; `text`.

        With `planned` (q, D), encoded rows that will be measured, also `b_sd_after`, what `b_sd`
        will be then; and with `over` (n, D), rows of the space, `sd_cut`, the share by which the
        Gaussian processes' uncertainty over them will fall, else NaN. Both are what the processes
        expect at their present hyperparameters.
        """
        names = list(responses) if responses is not None else list(range(self.num_outputs))
        plan = None
        with torch.no_grad():
            if planned is not None:
                plan = Plan(self._points(planned), None if over is None else self._points(over))
            records = [self._trust_of(j, plan) for j in range(self.num_outputs)]
        return pd.DataFrame(records, index=pd.Index(names, name="response"))

    def _points(self, X: Array) -> Points:
        return self._describe(torch.as_tensor(np.asarray(X, dtype=np.float64)))

    def _trust_of(self, response: int, plan: Plan | None) -> dict[str, float | str]:
        y = torch.as_tensor(self._standard[:, response])
        weights = dict(zip(self.experts, self.weights[:, response].tolist(), strict=True))
        return trust_of(response, self._processes, weights, y, self._describe.pretrained, plan)
