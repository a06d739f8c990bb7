"""Words under which a product is found."""

from sellers.search import query_terms, terms


def test_chinese_text_is_found_by_each_character_and_each_pair() -> None:
    assert terms("土鸡蛋") == ["土", "鸡", "蛋", "土鸡", "鸡蛋"]


def test_latin_words_are_found_by_their_stems_in_lower_case() -> None:
    assert terms("Spring ORANGES，5kg") == terms("springs orange 5KG") == ["spring", "orang", "5kg"]


def test_full_width_letters_are_the_same_as_narrow_ones() -> None:
    assert terms("Ａ级") == terms("a级") == ["a", "级"]


def test_a_search_asks_for_pairs_and_for_a_single_character_only_when_alone() -> None:
    assert query_terms("土鸡蛋") == ["土鸡", "鸡蛋"]
    assert query_terms("橙") == ["橙"]
    assert query_terms("开州 橙 Orange") == ["开州", "橙", "orang"]


def test_a_search_without_words_asks_for_nothing() -> None:
    assert query_terms("， % _ !") == []


def test_a_long_search_is_cut() -> None:
    assert len(query_terms("一二三四五六七八九十" * 1000)) <= 60
