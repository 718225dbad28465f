"""Texts as a VLM writes them: loops, which never end by themselves, and documents that repeat on purpose."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import count

GOOD_LINES = """Договор поставки № 17 от 3 марта 2026 г.
Поставщик передаёт товар в срок до 15 апреля, покупатель принимает и оплачивает его.
Цена товара составляет 1 248 300 рублей 50 копеек, в том числе НДС 20 %.
Оплата производится в течение десяти дней после подписания накладной.
За просрочку начисляется пеня в размере 0,1 % за каждый день.
Споры рассматриваются в Арбитражном суде города Москвы.
Договор составлен в двух экземплярах, по одному для каждой стороны.
"""
GOOD_ROWS = (
    "<fcel>№<fcel>Наименование<fcel>Кол-во<fcel>Цена<nl>"
    "<fcel>1<fcel>Болт М8<fcel>120<fcel>4,50<nl>"
    "<fcel>2<fcel>Гайка М8<fcel>240<fcel>1,20<nl>"
    "<fcel>3<fcel>Шайба<fcel>500<fcel>0,35<nl>"
)
PARAGRAPH = (
    "Исполнитель обязуется оказать услуги в полном объёме и в согласованный срок, а заказчик обязуется "
    "принять их по акту и оплатить на условиях настоящего договора; стороны освобождаются от "
    "ответственности при обстоятельствах непреодолимой силы, о которых они извещают друг друга письменно. "
)


@dataclass(frozen=True)
class Loop:
    """A text without end. before: the text of the page. turn: the text of repetition n, from 1."""

    before: str
    turn: Callable[[int], str]
    grows: bool = False

    def pieces(self) -> Iterator[str]:
        """Yield the text before the loop, then its repetitions without end."""
        yield self.before
        yield from map(self.turn, count(1))

    def text(self, length: int) -> str:
        """Return the first characters."""
        text, pieces = "", self.pieces()
        while len(text) < length:
            text += next(pieces)
        return text[:length]

    @property
    def kept(self) -> str:
        """What a reader wants of it: the text before the loop, and the pattern once."""
        return self.before + self.turn(1)


def _same(pattern: str, before: str = "") -> Loop:
    return Loop(before, lambda _: pattern)


def _growing(turn: Callable[[int], str], before: str = "") -> Loop:
    return Loop(before, turn, grows=True)


LOOPS: Mapping[str, Loop] = {
    "a zero": _same("0"),
    "a dot": _same("."),
    "a letter": _same("а", GOOD_LINES + "Ма"),
    "a dash": _same("—", GOOD_LINES),
    "a bar": _same("|"),
    "a line break": _same("\n", GOOD_LINES.rstrip()),
    "a character of three bytes": _same("口", "第一章 总则。"),
    "a character of four bytes": _same("😀", GOOD_LINES),
    "a word": _same("да ", GOOD_LINES),
    "an English word": _same(" the", "This agreement is made between the Supplier and"),
    "a space of LaTeX": _same("\\quad ", "\\[ a + b = c"),
    "an ampersand": _same("& ", "\\begin{array}{cc} 1 & 2 \\\\ "),
    "an empty cell": _same("<ecel>", GOOD_ROWS),
    "an empty cell of HTML": _same("<td></td>", "<table><tr><td>Итого</td>"),
    "a cell of a zero": _same("<fcel>0", GOOD_ROWS),
    "a merged cell": _same("<lcel>", "<fcel>Сведения о товаре"),
    "an escape": _same("&nbsp;", "Итого"),
    "a fraction": _same("\\frac{1}{2} + ", "\\[ S = "),
    "a phrase": _same("в соответствии с договором ", GOOD_LINES),
    "an English phrase": _same("of the Company and ", "The obligations "),
    "a Chinese phrase": _same("北京市人民政府", "第二条 "),
    "numbers": _same("12 345,67 ", GOOD_LINES),
    "a line": _same("ИТОГО: 0,00 руб.\n", GOOD_LINES),
    "a line of a form": _same("Подпись: ____________ / ____________\n", GOOD_LINES),
    "a line of dashes": _same("-" * 80 + "\n", GOOD_LINES),
    "a line of 300 underscores": _same("_" * 300 + "\n", GOOD_LINES),
    "an item of a list": _same("- наименование товара не указано\n", GOOD_LINES),
    "an empty row": _same("<ecel>" * 6 + "<nl>", GOOD_ROWS),
    "a row": _same("<fcel>4<fcel>Болт М10<fcel>100<fcel>7,80<nl>", GOOD_ROWS),
    "a row of dashes": _same("<fcel>-<fcel>-<fcel>-<fcel>-<nl>", GOOD_ROWS),
    "a wide row": _same("<fcel>0,00" * 14 + "<nl>", GOOD_ROWS),
    "a row of HTML": _same("<tr><td>0,00</td><td>0,00</td></tr>\n", "<table>\n"),
    "a row of a matrix": _same("0 & 1 & 0 & 0 \\\\ ", "\\begin{pmatrix} "),
    "a row of a chart": _same("2024 | 17,5\n", "год | доля\n"),
    "five lines": _same(GOOD_LINES[-327:]),
    "a paragraph": _same(PARAGRAPH),
    "a paragraph after good lines": _same(PARAGRAPH, GOOD_LINES * 2),
    "numbered lines": _growing(lambda n: f"{n}. Наименование товара\n", GOOD_LINES),
    "numbered rows": _growing(lambda n: f"<fcel>{n + 3}<fcel>Болт М8<fcel>120<fcel>4,50<nl>", GOOD_ROWS),
    "numbered clauses": _growing(lambda n: f"4.1.{n}. Стороны вправе расторгнуть договор.\n", GOOD_LINES),
    "numbers in a row": _growing(lambda n: f"{n}, ", "Листы дела: "),
    "indices": _growing(lambda n: f"x_{{{n}}} + ", "\\[ S = "),
    "two numbers a line": _growing(lambda n: f"стр. {n} из {2 * n}\n"),
}


def _rows(row: str, rows: int) -> str:
    return GOOD_ROWS + row * rows + "<fcel>Итого<fcel>1 248 300,50<nl>"


def _contents(leader: str) -> str:
    chapters = ("Введение", "Общие положения", "Права и обязанности сторон", "Порядок расчётов", "Заключение")
    return "\n".join(f"{n}. {name} {leader} {7 * n}" for n, name in enumerate(chapters * 6, start=1))


def _matrix(cell: Callable[[int, int], object], size: int) -> str:
    rows = (" & ".join(str(cell(row, column)) for column in range(size)) for row in range(size))
    return "\\[ \\begin{array}{" + "c" * size + "} " + " \\\\ ".join(rows) + " \\end{array} \\]"


REAL: Mapping[str, str] = {
    "good lines": GOOD_LINES,
    "good rows": GOOD_ROWS,
    "a long text": "".join(GOOD_LINES.replace("17", str(n)) for n in range(20)),
    "45 empty rows": _rows("<ecel>" * 6 + "<nl>", 45),
    "60 empty rows of 12 cells": _rows("<ecel>" * 12 + "<nl>", 60),
    "60 empty rows at the end": GOOD_ROWS + ("<ecel>" * 8 + "<nl>") * 60,
    "a form of empty rows": ("<ecel>" * 4 + "<nl>") * 50,
    "40 rows of zeros": _rows("<fcel>0,00" * 6 + "<nl>", 40),
    "50 rows of dashes": _rows("<fcel>-" * 5 + "<nl>", 50),
    "30 equal rows": _rows("<fcel>Болт М8<fcel>шт.<fcel>100<fcel>4,50<fcel>450,00<nl>", 30),
    "60 numbered empty rows": "".join(f"<fcel>{n}<ecel><ecel><ecel><nl>" for n in range(1, 61)),
    "a header over 30 cells": "<fcel>Сведения о лицах" + "<lcel>" * 30 + "<nl>" + "<fcel>а" * 31,
    "empty cells of HTML": "<table>" + ("<tr>" + "<td></td>" * 8 + "</tr>\n") * 50 + "</table>",
    "a table of equal prices": "".join(f"<fcel>Место {n}<fcel>1 200,00<nl>" for n in range(1, 80)),
    "55 equal prices": "1 200,00\n" * 55,
    "60 answers": "нет\n" * 60,
    "checkboxes": "☐ да ☐ нет\n" * 45,
    "contents with dots": _contents("." * 60),
    "contents with spaced dots": _contents(". " * 50),
    "contents with long dots": _contents("." * 180),
    "contents with ellipses": _contents("…" * 40),
    "contents cut before the number": _contents("." * 90)[:-3],
    "dots to the end": "Ответ: " + "." * 220,
    "a number of 200 zeros": "1" + "0" * 200,
    "zeros alone": "0" * 240,
    "a ruler of dashes": "-" * 180,
    "a double ruler": "=" * 120 + "\nОТЧЁТ\n" + "=" * 120,
    "asterisks": "*" * 100 + " КОНЕЦ " + "*" * 100,
    "35 lines to write on": ("_" * 90 + "\n") * 35,
    "underscores of a form": "Фамилия " + "_" * 60 + " Имя " + "_" * 60 + " Отчество " + "_" * 60,
    "45 numbered lines to write on": "".join(f"{n}. {'_' * 70}\n" for n in range(1, 46)),
    "signatures": "Подпись: ____________ / ____________\n" * 20,
    "ellipses": "И вот... потом... а дальше... " * 3 + "......",
    "ellipses alone": "... " * 40,
    "a dump of zeros": ("00 " * 16 + "\n") * 45,
    "a dump with addresses": "".join(f"{16 * n:08x}  {'00 ' * 16}\n" for n in range(60)),
    "zeros and ones": "01" * 100,
    "a matrix of zeros": _matrix(lambda *_: 0, 15),
    "an identity matrix": _matrix(lambda row, column: int(row == column), 20),
    "a sum of ones": "\\[ " + " + ".join("1" * 80) + " = 80 \\]",
    "spaces of LaTeX": "\\[ a " + "\\quad " * 20 + " b \\]",
    "an empty array": "\\begin{array}{ccc} " + "& & \\\\ " * 30 + "\\end{array}",
    "a bibliography": "".join(
        f"[{n}] Иванов И. И. Труды института. М.: Наука, {1960 + n}. 320 с.\n" for n in range(1, 41)
    ),
    "citations of one source": "Там же. С. 5.\n" * 40,
    "a chorus": ("Эх, дубинушка, ухнем!\nЭх, зелёная, сама пойдёт!\n" + PARAGRAPH) * 6,
    "a mantra": "Господи, помилуй. " * 40,
    "genes": "A" * 180 + "CGT",
    "days of a month": "\n".join(f"{n:02d}.03.2026 выходной" for n in range(1, 32)),
    "seats": " ".join(map(str, range(1, 121))),
    "a timetable": "".join(f"{n:02d}:00 {n:02d}:15 {n:02d}:30 {n:02d}:45\n" for n in range(5, 24)),
    "a chart of zeros": "месяц | продажи\n" + "январь | 0\n" * 40,
    "a bar code": "|" * 130,
    "a keyboard": "qwertyuiop " * 12,
    "Chinese leaders": "第一章 总则" + "…" * 60 + "1\n第二章 附则" + "…" * 60 + "9",
}  # fmt: skip
