import math

import numpy as np
import pandas as pd
import pytest

from labloop.report.subjects import Component, Response
from labloop.report.tables import formula_tables, origin_table, scores_table

TITRE = Response("titre", "g/L", "maximize", math.nan)
VIABILITY = Response("viability", "%", "at_least", 80.0)


@pytest.fixture
def of_round(values):
    return values[(values["round"] == 1) & (values["origin"] != "control")]


def texts(row):
    return [cell.text for cell in row]


def test_formulas_are_listed_best_first_with_all_that_is_known(of_round, amounts, components):
    (table,) = formula_tables(of_round, amounts, components, [TITRE, VIABILITY], None)
    titles = ["formula", "origin", "predicted", "measured", "predicted", "measured"]
    assert [column.title for column in table.columns] == [*titles, "glucose (mM)", "serum"]
    assert [texts(row) for row in table.rows] == [
        ["2", "mixing", "3.00 ± 0.50", "3.20 ± 0.10", "90.0 ± 5.0", "99.0 ± 1.0", "0", "wheat"],
        ["1", "latin hypercube", "2.00 ± 0.50", "2.50 ± 0.10", "90.0 ± 5.0", "85.0 ± 1.0", "2.5",
         "soy"],
    ]  # fmt: skip
    assert [row[-2].share for row in table.rows] == [0.0, 0.25]
    assert table.rows[0][-1].share is None


def test_responses_share_a_title_above_their_columns(of_round, amounts, components):
    (table,) = formula_tables(of_round, amounts, components, [TITRE, VIABILITY], None)
    groups = [(column.group, span) for column, span in table.groups]
    assert groups == [
        ("", 1), ("", 1), ("titre (g/L)", 2), ("viability (%)", 2), ("", 1), ("", 1)
    ]  # fmt: skip


def test_columns_without_any_value_are_left_out(of_round, amounts, components):
    of_round = of_round.assign(measured=math.nan, predicted=math.nan)
    (table,) = formula_tables(of_round, amounts, components, [TITRE], None)
    titles = [column.title for column in table.columns]
    assert titles == ["formula", "origin", "glucose (mM)", "serum"]
    assert [row[0].text for row in table.rows] == ["1", "2"]


def test_the_users_own_labels_are_shown(of_round, amounts, components):
    labels = pd.Series({1: "plan A", 2: "plan B"})
    (table,) = formula_tables(of_round, amounts, components, [TITRE], labels)
    assert [row[2].text for row in table.rows] == ["plan B", "plan A"]


def test_many_components_are_spread_over_tables(of_round):
    components = [Component(f"c{k}", "mM", 0.0, 1.0) for k in range(50)]
    amounts = pd.DataFrame(0.5, index=[1, 2], columns=[c.name for c in components])
    tables = formula_tables(of_round, amounts, components, [TITRE], None)
    shown = [column.title for table in tables for column in table.columns if column.upright]
    assert shown == [component.title for component in components]
    assert all(table.columns[0].title == "formula" for table in tables)
    assert max(sum(column.upright for column in table.columns) for table in tables) <= 32


def test_origins_say_what_they_mean_and_how_they_did(of_round):
    table = origin_table(of_round, [TITRE, VIABILITY])
    assert [texts(row) for row in table.rows] == [
        ["latin hypercube", "1", "spread evenly over the whole space, to explore it", "2", "2.5"],
        ["mixing", "1", "components of good formulas recombined", "3", "3.2"],
    ]


def test_scores_of_the_pretrained_network(scores):
    assert [texts(row) for row in scores_table(scores).rows] == [
        ["titre", "0.8556", "0.9241", "13.2 %", "0.0037", "1200"],
        ["viability", "0.5", "0.7", "–", "0.02", "1200"],
    ]


def test_scores_stand_beside_those_of_a_plain_model_where_they_are_known(scores):
    table = scores_table(scores.assign(plain_r2=[0.9, np.nan]))
    assert table.columns[2].title == "R² of a random forest"
    assert [texts(row)[1:3] for row in table.rows] == [["0.8556", "0.9"], ["0.5", "–"]]
