"""The campaign: the one place where definition, store, surrogate, proposal and plate meet.

campaign = Campaign.create("campaigns/cho-k1", definition)
campaign.add_history(frame, source="CHO-S")
campaign.pretrain()
round = campaign.propose()
campaign.export("biomek", "out/")
campaign.record("results.csv")
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from labloop import store
from labloop.campaign.rounds import Round, read_round
from labloop.definition import Definition, parse, read_text
from labloop.errors import BusyError, RefusedError
from labloop.store import Round as StoredRound
from labloop.store import Store, Writing

if TYPE_CHECKING:
    import pandas as pd

    from labloop.campaign.checking import Checked
    from labloop.campaign.chronicle import Soundness
    from labloop.campaign.comparing import Replayed
    from labloop.campaign.effects import Effects
    from labloop.campaign.formula_comparison import Comparison
    from labloop.campaign.notes import Note
    from labloop.campaign.pretraining import Pretraining
    from labloop.campaign.recorded import Excluded, Recorded
    from labloop.campaign.standing import Standing
    from labloop.report.page import RoundPage
    from labloop.simulate.simulation import Simulation
    from labloop.space import FormulaSpace

Progress = Callable[[str, int, int], None]

LARGEST_SEED = 2**32 - 1


def silent(stage: str, done: int, total: int) -> None:
    """Report nothing; the default where nobody watches."""


@dataclass(frozen=True, eq=False)
class Campaign:
    """A campaign's folder: campaign.toml, which the user writes, and campaign.db, what happened.

    Make one with `Campaign.create`, open one with `Campaign.open`.
    """

    folder: Path
    definition: Definition
    text: str
    store: Store

    # -- opening -----------------------------------------------------------------------------

    @classmethod
    def create(
        cls, folder: str | Path, definition: Definition | Mapping[str, Any] | str | Path
    ) -> Self:
        """Make a new campaign in a folder, which is made too.

        Args:
            folder: Where; refused if it holds a campaign already.
            definition: A Definition, a dict shaped like the TOML, or a path to one.

        Raises:
            DefinitionError: The definition has problems.
            RefusedError: There is a campaign already, or the folder cannot be written to.
        """
        from labloop.campaign.folders import create_folder

        text = _definition_text(definition)
        checked = parse(text, where="The definition")
        _space_of(checked)
        folder = create_folder(folder, text)
        return cls(folder, checked, text, store.create_store(folder / "campaign.db"))

    @classmethod
    def open(cls, folder: str | Path) -> Self:
        """Open a campaign by its folder.

        A folder that has a campaign.toml but no campaign.db yet is a new campaign.

        Raises:
            DefinitionError: campaign.toml has problems.
            RefusedError: There is no campaign, or its database is damaged or too new.
        """
        folder = Path(folder)
        toml, database = folder / "campaign.toml", folder / "campaign.db"
        if not toml.is_file():
            raise RefusedError(
                f'There is no campaign in "{folder}" (no campaign.toml); '
                "check the name, or make one with `labloop init`."
            )
        text = read_text(toml)
        definition = parse(text, where=str(toml))
        opened = store.open_store(database) if database.exists() else store.create_store(database)
        return cls(folder, definition, text, opened)

    def redefine(self, text: str, *, was: str | None = None, dry_run: bool = False) -> Definition:
        """Put a new text in the place of campaign.toml, whole or not at all.

        This campaign stays as it was opened; open it again to go on with the new definition. Where
        campaign.toml cannot be opened any more, `campaign.redefining.redefine` does the same by
        the folder.

        Args:
            text: Of the new campaign.toml.
            was: The text that it was made from; None to replace whatever there is.
            dry_run: Check everything and write nothing.

        Raises:
            DefinitionError: The text has problems, or leaves no formula.
            RefusedError: Stored results would lose their meaning, campaign.toml is not `was` any
                more, or it cannot be written to.
        """
        from labloop.campaign.redefining import redefine

        return redefine(self.folder, text, was=was, dry_run=dry_run)

    def close(self) -> None:
        """Close the database."""
        self.store.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    @cached_property
    def space(self) -> FormulaSpace:
        """Every formula that the campaign can make.

        Raises:
            DefinitionError: The stocks or the constraints leave none.
        """
        return _space_of(self.definition)

    # -- learning ----------------------------------------------------------------------------

    def add_history(
        self,
        table: pd.DataFrame | str | Path,
        source: str,
        *,
        map: pd.DataFrame | str | Path | None = None,  # noqa: A002
        dry_run: bool = False,
        **reading: Any,
    ) -> Recorded:
        """Import earlier results: one row a well or formula, a column a component and response.

        Args:
            table: A frame, or the path of a CSV or Excel file.
            source: The cell line, strain, lysate or campaign that they come from.
            map: A frame or file that says what is in each `well` (and `plate`), or in each
                `formula`, where the table of results does not.
            dry_run: Check everything and store nothing.
            reading: How to read the file; see `opening.open_table`.

        Raises:
            RejectedError: Lists every cell that is wrong; nothing was changed.
            RefusedError: The same file, or every one of its results, was imported before.
        """
        from labloop.campaign import compositions

        with self.store.writing("history", keep=not dry_run, source=source.strip()) as writing:
            self._use_definition(writing)
            return compositions.add_history(
                writing, self.definition, table, source, map=map, **reading
            )

    def pretrain(
        self,
        folds: int = 10,
        seed: int = 0,
        progress: Progress = silent,
        *,
        jobs: int | None = None,
        cluster: str | None = None,
    ) -> Pretraining:
        """Train the network on all history; say by cross-validation how well it predicts.

        Args:
            folds: Folds of the cross-validation, 0 for none.
            seed: Makes the training repeatable.
            progress: Called with a stage's name, what is done and the total.
            jobs: How many processes of this computer do the folds; None for one a core where that
                pays.
            cluster: Address of a Dask scheduler, to do the folds there.

        Raises:
            RefusedError: There is no history, or too little of it; or the cluster cannot be used.
        """
        from labloop.campaign.pretraining import pretrain
        from labloop.campaign.subject import PRETRAINED
        from labloop.parallel import workers

        _check_seed(seed)
        known_event = store.last_event(self.store)
        with workers(cluster, jobs):
            pretraining = pretrain(
                self.store, self.definition, self.space, known_event, folds, seed, progress
            )
        with self.store.writing("pretrain", seed=seed, folds=folds) as writing:
            weights, metadata = pretraining.stored()
            store.add_model(writing, PRETRAINED, weights, metadata, known_event=known_event)
        return pretraining

    def predict(self, table: pd.DataFrame | str | Path, **reading: Any) -> pd.DataFrame:
        """Predict any formulas.

        Args:
            table: A frame or file with a column a component.
            reading: How to read the file; see `opening.open_table`.

        Returns:
            Frame with, for each response, `<response>_mean`, `<response>_sd` (of a new
            measurement, noise included) and `<response>_sem` (of the mean alone), one row for each
            of the table's.

        Raises:
            RejectedError: A column is missing or a cell is wrong.
            RefusedError: Nothing was measured or learned yet.
        """
        from labloop.campaign import learning, opening

        concentrations, index = opening.read_formulas(self.definition, table, **reading)
        learned = learning.learn(
            self.store, self.definition, self.space, store.last_event(self.store)
        )
        return learned.predict(concentrations, index)

    def importance(self) -> pd.DataFrame:
        """Return which components matter for each response, by what is known now.

        Frame by `response` and `component`, the most important first: `importance`, the
        total-order Sobol index over random formulas of the campaign (the share of the predicted
        response's variance that is lost to whoever does not know the component), the ends `low`
        and `high` of its 5–95 % interval, and `rank` from 1. Zero for components that do not vary.

        Raises:
            RefusedError: Nothing was measured or learned yet.
        """
        from labloop.campaign import explaining, learning

        learned = learning.learn(
            self.store, self.definition, self.space, store.last_event(self.store)
        )
        return explaining.importance_of(learned.fitted, self.definition, self.space)

    def effects(
        self,
        round: int | None = None,  # noqa: A002
        *,
        progress: Progress = silent,
    ) -> Effects:
        """Return what the surrogate makes of the components, with what is not known of it.

        Importance, the effect of each component, interactions of pairs, and what the next plate
        and the space may bring; see `Effects`.

        Args:
            round: By what was known right after this round's results, when the next round was
                proposed, and by the definition of that; None, as for the latest round, for now.
            progress: Called with a stage's name, what is done and the total.

        Raises:
            RefusedError: Nothing was measured or learned yet, or there is no such round.
        """
        from labloop.campaign.effects import effects

        return effects(self.store, self.definition, self.space, round, progress)

    # -- the loop ----------------------------------------------------------------------------

    def propose(
        self,
        formulas: int | None = None,
        seed: int | None = None,
        candidates: pd.DataFrame | str | Path | None = None,
        *,
        dry_run: bool = False,
        jobs: int | None = None,
        cluster: str | None = None,
        progress: Progress = silent,
    ) -> Round:
        """Choose the formulas of the next round, lay them out and plan their dispenses.

        Args:
            formulas: How many distinct formulas; None for the definition's number.
            seed: Makes the round repeatable; None for the round's number.
            candidates: A frame or file of the only formulas to choose among.
            dry_run: Choose and plan, but store nothing.
            jobs: How many processes of this computer score the candidates; None for this process,
                which uses its threads.
            cluster: Address of a Dask scheduler, to score the candidates there.
            progress: Called with a stage's name, what is done and the total.

        Raises:
            RefusedError: The history was not learned yet, there are too few new formulas, or the
                cluster cannot be used.
            BusyError: Another program wrote to the campaign meanwhile.
        """
        from labloop.campaign import proposing, storing
        from labloop.campaign.news import has_news
        from labloop.parallel import workers

        if seed is not None:
            _check_seed(seed)
        known_event = store.last_event(self.store)
        with workers(cluster, jobs):
            proposed = proposing.propose(
                self.store, self.definition, self.space, known_event, formulas, seed, candidates,
                progress,
            )  # fmt: skip
        with self.store.writing("propose", keep=not dry_run) as writing:
            if has_news(writing.store, known_event):
                raise BusyError(
                    "Another program wrote to the campaign while this round was being chosen, so "
                    "it was given up; propose again to take the news into account."
                )
            number = storing.add_round(writing, proposed, self._use_definition(writing))
            return read_round(writing.store, number)

    def replay(
        self,
        round: int,  # noqa: A002
        candidates: pd.DataFrame | str | Path | None = None,
        *,
        progress: Progress = silent,
    ) -> Replayed:
        """Propose an earlier round again from what was known then; nothing is stored.

        Args:
            round: Its number.
            candidates: The list that it was chosen from, where it was chosen from one.
            progress: Called with a stage's name, what is done and the total.

        Raises:
            RefusedError: There is no such round, its list of candidates is not given or another
                one, or the network that it rests on cannot be used.
        """
        from labloop.campaign.replaying import replay

        return replay(self.store, round, candidates, progress)

    def export(
        self,
        kind: str,
        out: str | Path,
        round: int | None = None,  # noqa: A002
        *,
        dry_run: bool = False,
    ) -> list[Path]:
        """Write a round's plate map, deck list and worklist.

        Args:
            kind: The robot's kind.
            out: The folder; made if need be. Files are replaced whole or not at all.
            round: Its number; None for the latest.
            dry_run: Check everything and write nothing.

        Raises:
            RefusedError: There is no such round, or the robot could not make it as planned.
        """
        from labloop.campaign import exporting
        from labloop.worklists import write_files

        number = self._latest_round() if round is None else round
        files = exporting.files(self.store, self.definition, number, kind)
        paths = [Path(out) / name for name in files]
        if not dry_run:
            with self.store.writing("export", kind=kind) as writing:
                store.mark_exported(writing, number)
                # last, so that no file is written where the campaign cannot note it
                write_files(Path(out), files)
        return paths

    def record(
        self,
        table: pd.DataFrame | str | Path,
        round: int | None = None,  # noqa: A002
        *,
        map: pd.DataFrame | str | Path | None = None,  # noqa: A002
        correct: bool = False,
        reason: str | None = None,
        dry_run: bool = False,
        **reading: Any,
    ) -> Recorded:
        """Record what was measured.

        What is known already with the same values is not stored again. A value takes the place of
        one that was recorded as missing.

        Args:
            table: A frame or file with responses and a column `well` or `formula`; or, for formulas
                that labloop never proposed, a column a component.
            round: The round's number; None for the one that waits for results.
            map: For plates of the lab's own: a frame or file that says what is in each `well` (and
                `plate`), or in each `formula`.
            correct: Let values that differ from what is recorded supersede it; NA in a cell
                supersedes a value, too. What is excluded stays excluded.
            reason: Why; kept with each correction.
            dry_run: Check everything and store nothing.
            reading: How to read the file; see `opening.open_table`.

        Raises:
            RejectedError: Lists every cell that is wrong, or whose value differs from what is
                recorded; nothing was changed.
            RefusedError: The same file was recorded before, or it is not clear which round it is
                of.
        """
        from labloop.campaign import recording

        with self.store.writing("record", keep=not dry_run) as writing:
            self._use_definition(writing)
            return recording.record(
                writing,
                self.definition,
                table,
                round,
                map=map,
                correct=correct,
                reason=reason,
                **reading,
            )

    def exclude(
        self,
        wells: Sequence[str] = (),
        reason: str | None = None,
        *,
        round: int | None = None,  # noqa: A002
        plate: int | str | None = None,
        response: str | None = None,
        source: str | None = None,
        file: str | None = None,
        undo: bool = False,
        dry_run: bool = False,
    ) -> Excluded:
        """Leave results out of all that is learned, with a reason; they stay in the store.

        Args:
            wells: Of a round, such as `["B7"]`; or give `source`, `file` or both.
            reason: Why; needed unless `undo`.
            round: The wells' round; None for the latest.
            plate: The wells' plate; needed where the round has several.
            response: Only this one; None for all.
            source: Everything that a source of history has.
            file: Everything that came from the file of this name, or with this hash.
            undo: Take the exclusion back.
            dry_run: Check everything and store nothing.

        Raises:
            RefusedError: There is nothing of that to exclude, or to take back.
        """
        from labloop.campaign import excluding

        whole = source is not None or file is not None
        if whole and (wells or plate is not None or round is not None):
            raise RefusedError(
                "A source or a file is excluded whole; leave out the wells, plate and round."
            )
        with self.store.writing("exclude", keep=not dry_run) as writing:
            if whole:
                return excluding.exclude_source(
                    writing, self.definition, reason,
                    source=source, file=file, response=response, undo=undo,
                )  # fmt: skip
            number = self._latest_round() if round is None else round
            return excluding.exclude_wells(
                writing, self.definition, number, wells, reason,
                plate=plate, response=response, undo=undo,
            )  # fmt: skip

    def abandon(self, round: int, *, dry_run: bool = False) -> None:  # noqa: A002
        """Give a round up; its number stays taken. With `dry_run` only see whether it could be.

        Raises:
            RefusedError: There is no such round, or it has results.
        """
        with self.store.writing("abandon", keep=not dry_run) as writing:
            store.abandon_round(writing, round)

    # -- notes -------------------------------------------------------------------------------

    def note(
        self,
        text: str,
        round: int | None = None,  # noqa: A002
        *,
        dry_run: bool = False,
    ) -> None:
        """Write a note into the event log, where it stays.

        Args:
            text: At most 10,000 characters, without the blanks around them.
            round: The round that it is on; None for the whole campaign.
            dry_run: Check everything and store nothing.

        Raises:
            RefusedError: The text is empty or too long, or there is no such round.
        """
        from labloop.campaign import notes

        with self.store.writing(notes.ACTION, keep=not dry_run) as writing:
            notes.add_note(writing, text, round)

    def notes(self, round: int | None = None) -> tuple[Note, ...]:  # noqa: A002
        """Return the notes on a round, or all of them; the newest last.

        Raises:
            RefusedError: There is no such round.
        """
        from labloop.campaign.notes import read_notes

        return read_notes(self.store, round)

    # -- looking -----------------------------------------------------------------------------

    def round(self, number: int | None = None) -> Round:
        """Return a round; the latest for None.

        Raises:
            RefusedError: There is no such round.
        """
        return read_round(self.store, self._latest_round() if number is None else number)

    def rounds(self) -> list[StoredRound]:
        """Return every round as stored, by number."""
        return store.read_rounds(self.store)

    def status(self) -> Standing:
        """Return where the campaign stands and what to do next."""
        from labloop.campaign.standing import standing

        return standing(self.store, self.definition, self.folder)

    def check(self) -> Checked:
        """Say what the robot can reach and what a round needs on the deck.

        Raises:
            DefinitionError: The stocks or the constraints leave no formula.
            RefusedError: A plate cannot be laid out or dispensed.
        """
        from labloop.campaign.checking import check

        return check(self.definition, self.space)

    def check_database(self) -> Soundness:
        """Look for faults of campaign.db: of the file, its references and its chain of events."""
        from labloop.campaign.chronicle import check_database

        return check_database(self.store)

    def log(self) -> pd.DataFrame:
        """Return what happened, oldest first, after verifying the log's chain of hashes.

        Frame by `event` (from 1): `at` (UTC), `who`, `action`, `words` (what was done), `detail`
        (a dict) and `hash`.

        Raises:
            RefusedError: The log was altered.
        """
        import pandas as pd

        from labloop.campaign.chronicle import in_words, read_chronicle

        chronicle = read_chronicle(self.store)
        if chronicle.faults:
            raise RefusedError(f"{chronicle.sentence} Put a backup in the place of campaign.db.")
        frame = pd.DataFrame(
            [event._asdict() | {"words": in_words(event)} for event in chronicle.events]
        )
        frame["at"] = pd.to_datetime(frame["at"], format="ISO8601", utc=True)
        index = frame.pop("sequence").rename("event")
        return frame.set_index(index)[["at", "who", "action", "words", "detail", "hash"]]

    def best(self, top: int = 10) -> pd.DataFrame:
        """Return the best measured formulas, best first.

        Frame by formula id: the components, `round` and `origin` (missing for formulas that
        labloop did not propose), for each response the mean measured value `<response>_mean`, its
        standard error `<response>_sem` and `<response>_wells`; where a formula listed is known by
        a limit alone, `<response>_limit`.
        """
        from labloop.campaign import learning

        return learning.best(self.store, self.definition, top)

    def compare(self, formulas: Sequence[int | str]) -> Comparison:
        """Set some of the campaign's formulas side by side and say what differs.

        Args:
            formulas: Numbers of formulas or names of controls, at least two; the first is set
                against each of the others.

        Raises:
            RefusedError: There is no such formula of the campaign, or fewer than two.
        """
        from labloop.campaign.formula_comparison import compare

        return compare(self.store, self.definition, formulas)

    def wells(self, round: int | None = None) -> pd.DataFrame:  # noqa: A002
        """Return what was measured in every well of a round, or of all and of the lab's own plates.

        Frame: `round` (missing on the lab's own plates), `plate`, `well`, `formula` (a control's
        name; empty for a blank), `response`, `value` as it was measured (a limit for below_range
        and above_range), `status` (ok, below_range, above_range, missing, excluded, or outlier
        where the well lies too far from its replicates to count), `reason` of an exclusion or an
        outlier, and `corrected`, the value after the plate's and the place's effects are taken off.
        Its `attrs["plates"]` are sentences on what the plates did. History is left out.

        Raises:
            RefusedError: There is no such round.
        """
        from labloop.campaign.well_values import wells_frame

        return wells_frame(self.store, self.definition, round)

    @property
    def last_event(self) -> int:
        """The number of the last event: it grows with all that happens."""
        return store.last_event(self.store)

    def round_page(self, round: int | None = None) -> RoundPage:  # noqa: A002
        """Return what the page of a round shows, as frames and sentences; the latest for None.

        Raises:
            RefusedError: There is no such round.
        """
        from labloop.campaign import reporting

        number = self._latest_round() if round is None else round
        return reporting.round_page(self.store, number, self.status(), self.definition)

    def report(
        self,
        out: str | Path,
        round: int | None = None,  # noqa: A002
        *,
        dry_run: bool = False,
    ) -> Path:
        """Write a round's report: one HTML file that opens anywhere, without a network.

        Of a recorded round it says what was learned from its results, which takes learning.

        Args:
            out: The file; replaced whole or not at all.
            round: Its number; None for the latest.
            dry_run: Only see whether it could be written.

        Raises:
            RefusedError: There is no such round, or the file cannot be written.
        """
        from labloop.campaign import reporting

        number = self._latest_round() if round is None else round
        if dry_run:
            return reporting.rehearse(self.store, number, Path(out))
        return reporting.report(self.store, self.definition, self.folder, number, Path(out))

    def simulate(
        self,
        lab: str,
        source: str | None = None,
        strategies: Sequence[str] | None = None,
        rounds: int = 4,
        formulas: int | None = None,
        seeds: int = 4,
        *,
        jobs: int | None = None,
        cluster: str | None = None,
        progress: Progress = silent,
    ) -> Simulation:
        """Say what strategies would have found by some round; the campaign is only read.

        Args:
            lab: `replay` chooses among measured formulas, `emulator` asks a model of them for any
                formula, `related`, `moderate` and `unrelated` are virtual labs in the campaign's
                space, which need no results.
            source: Whose results stand for the new line; None for the campaign's own, or the
                largest source where there are fewer than twenty. All others are its history.
            strategies: Names of strategies; None for all.
            rounds: How many plates.
            formulas: How many distinct formulas a plate; None for the definition's number, in a
                replay for at most half of the formulas on all plates together.
            seeds: How many campaigns of each strategy.
            jobs: How many processes of this computer; None for this process alone.
            cluster: Address of a Dask scheduler, to do the work there.
            progress: Called with a stage's name, what is done and the total.

        Raises:
            RefusedError: There is no such lab, source or strategy, too few formulas were measured,
                or the cluster cannot be used.
        """
        from labloop.simulate.of_campaign import simulate

        return simulate(
            self.store, self.definition, self.space, lab, source, strategies, rounds, formulas,
            seeds, jobs, cluster, progress,
        )  # fmt: skip

    def backup(self, target: str | Path, *, dry_run: bool = False) -> None:
        """Copy the database whole to a new file, while others may read and write.

        With `dry_run` only see whether the file could be written. In the place of a lost or
        damaged campaign.db the copy goes on from where it was made.

        Raises:
            RefusedError: The file exists or cannot be written, or the copy is not sound.
        """
        if dry_run:
            store.refuse_target(self.store, target)
        else:
            store.backup(self.store, target)

    # -- details -----------------------------------------------------------------------------

    def _latest_round(self) -> int:
        known = store.read_rounds(self.store)
        if not known:
            raise RefusedError("Nothing was proposed yet; use `labloop propose` first.")
        return known[-1].number

    def _use_definition(self, writing: Writing) -> int:
        """Store the definition as it is now, if it is new, and return its id."""
        from labloop.campaign.knowledge import refuse_lost_meaning

        refuse_lost_meaning(writing.store, self.definition)
        return store.use_definition(
            writing,
            self.text,
            [(component.name, component.unit) for component in self.definition.components],
            [(response.name, response.unit) for response in self.definition.responses],
        )


def _definition_text(definition: Definition | Mapping[str, Any] | str | Path) -> str:
    """Return any form of a definition as the text of a campaign.toml."""
    if isinstance(definition, str | Path):
        return read_text(Path(definition))
    if not isinstance(definition, Definition):
        definition = parse(definition)
    return definition.to_toml()


def _check_seed(seed: int) -> None:
    if not 0 <= seed <= LARGEST_SEED:
        raise RefusedError(f"A seed is a whole number from 0 to {LARGEST_SEED} (got {seed}).")


def _space_of(definition: Definition) -> FormulaSpace:
    from labloop.space import FormulaSpace

    return FormulaSpace.of(definition)
