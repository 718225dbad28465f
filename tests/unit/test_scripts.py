"""Letters that look alike: each word gets the script of its own letters, or of its neighbours."""

import pytest

from ocr_service.engines.tesseract.scripts import with_one_script
from ocr_service.layout.words import Line, Word


def read(*lines: str) -> list[str]:
    made = [
        Line(tuple(Word(text, (0, 0, 9, 9), 0.9) for text in line.split()), (0, 0, 99, 9), 9, False, False)
        for line in lines
    ]
    return [line.text for line in with_one_script(made)]


# Cyrillic letters are written as escapes where they stand in Latin words, and Latin ones in Cyrillic words.
@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("this is \u0430 test", "this is a test"),
        ("until 3:42 \u0420\u041c today", "until 3:42 PM today"),
        ("c\u043ed\u0435 of the house", "code of the house"),
        ("договор \u004f\u004f\u004f «Ромашка»", "договор ООО «Ромашка»"),
        ("как \x48e стать", "как Не стать"),
        ("новостей, \x48\x4f какая именно", "новостей, НО какая именно"),
        ("доступ \x4b\x4f всей документации", "доступ КО всей документации"),
        ("кластер HA из узлов", "кластер HA из узлов"),
        ("стр\x61ница", "страница"),
        ("принтер HP и PC", "принтер HP и PC"),
        ("модель А4 и С-5x", "модель А4 и С-5x"),
        ("then \u0445[1] and (\u04451,\u04431) are", "then x[1] and (x1,y1) are"),
        ("see section \u0410.3.1.2 of the manual", "see section A.3.1.2 of the manual"),
        ("the file of \u0421-3-бета was lost", "the file of \u0421-3-бета was lost"),
        ("запустите с опцией [-\u0441 имя файла", "запустите с опцией [-\u0441 имя файла"),
        ("файл LaserJet на сервере", "файл LaserJet на сервере"),
        ("The name is Иван", "The name is Иван"),
        ("Web-страница", "Web-страница"),
        ("запустите quilt pop перед сохранением", "запустите quilt pop перед сохранением"),
        ("Tak, например, если", "Так, например, если"),
        ("работает только c GNU", "работает только с GNU"),
        ("запустите quilt \u0440\u043e\u0440 Foo.patch", "запустите quilt pop Foo.patch"),
        ("наложить (=push), откатить (=pop) или", "наложить (=push), откатить (=pop) или"),
        ("запустите quilt -e для этого", "запустите quilt -e для этого"),
        ("команда dpkg-source -\u0445 gentoo.dsc", "команда dpkg-source -x gentoo.dsc"),
        ("на адрес e.schukina@example.org пишите", "на адрес e.schukina@example.org пишите"),
        ("desc = “\x48a столе лежит нож", "desc = “На столе лежит нож"),
        ("файл Excel c отчётом", "файл Excel с отчётом"),
        ("где проходит путь \u0440, спрашивает", "где проходит путь p, спрашивает"),
        ("функция \u0440 [[Вы нажали на ссылку]]", "функция p [[Вы нажали на ссылку]]"),
        ("хлеб стоит 50 \u0440 сегодня", "хлеб стоит 50 \u0440 сегодня"),
        ("доска 3 \u0445 4 метра", "доска 3 \u0445 4 метра"),
        ("П \u0440 и м \u0435 \u0440 расчёта", "П \u0440 и м \u0435 \u0440 расчёта"),
        (
            "В итоге рассмотрим for, while, continue, return",
            "В итоге рассмотрим for, while, continue, return",
        ),
    ],
)
def test_a_line(line: str, expected: str) -> None:
    assert read(line) == [expected]


def test_words_that_are_doubtful_do_not_tell_the_script_of_a_page() -> None:
    words = [("\u0420", 0.9), *[(word, 0.2) for word in ["ненень", "еееее", "ииини"]], ("Contents", 0.9)]
    lines = [Line((Word(text, (0, 0, 9, 9), sure),), (0, 0, 99, 9), 9, False, False) for text, sure in words]
    assert with_one_script(lines)[0].text == "P"


def test_a_line_without_other_letters_follows_the_page() -> None:
    assert read("A HAT", "Договор подряда заключён в городе") == [
        "А HAT",
        "Договор подряда заключён в городе",
    ]
    assert read("\u0410 CAT", "Contract of the world") == ["A CAT", "Contract of the world"]
