"""The benchmark's arithmetic and its table: a wrong ratio would be worse than none."""

from benchmarks.measure import Figures, median_figures, percentile
from benchmarks.profile import count_functions
from benchmarks.systems.registry import SYSTEMS, choose
from benchmarks.table import table


def test_percentiles_are_values_that_occurred() -> None:
    values = [float(number) for number in range(100, 0, -1)]
    assert percentile(values, 50) == 50
    assert percentile(values, 99) == 99
    assert percentile([7.0], 99) == 7


def test_medians_keep_the_words_of_a_failed_round() -> None:
    rounds: list[Figures] = [{"a": 1.0, "b": 3.0}, {"a": 9.0, "b": "not yet"}, {"a": 2.0, "b": 4.0}]
    assert median_figures(rounds) == {"a": 2.0, "b": "not yet"}


def test_the_table_shows_figures_with_ratios_to_the_first_system() -> None:
    shown = table(
        [
            ("outlive", {"one_rate": 200.0, "ready": 0.5}),
            ("rival", {"one_rate": 50.0, "ready": "could not be started because its port was taken"}),
        ]
    )
    lines = shown.splitlines()
    assert [cell.strip() for cell in lines[0].split("|")[1:-1]] == ["", "outlive", "rival"]
    assert "200" in lines[2]
    assert "50.0 (0.25x)" in lines[2]
    assert lines[-1] == "- rival: could not be started because its port was taken"
    assert len({len(line) for line in lines[:4]}) == 1


def test_own_time_is_counted_once_for_a_recursive_function() -> None:
    total, own, within = count_functions("main;walk;walk 3\nmain;read file.py 2\n")
    assert total == 5
    assert own == {"walk": 3, "read file.py": 2}
    assert within == {"main": 5, "walk": 3, "read file.py": 2}


def test_a_family_names_its_systems_and_none_twice() -> None:
    assert [each.key for each in choose(["temporal", "temporal-memory"])] == ["temporal", "temporal-memory"]
    assert len({each.key for each in SYSTEMS}) == len(SYSTEMS)
