"""Typeset pages of rows: tables with rules, and rows that only spaces separate."""

from random import Random

from benchmarks.corpus.sheet import Column, Sheet, Span, Style, random_style
from benchmarks.corpus.texts import Texts


def invoice(texts: Texts) -> Sheet:
    """Draw a ruled table between two parties and a total."""
    sheet = Sheet(_small(texts.random), margin=50)
    sheet.heading(texts.word("invoice", n=texts.number(4), d=texts.day()), scale=1.5)
    for party in ("seller", "buyer"):
        sheet.write(
            f"{texts.word(party)}: {texts.one('company')}, {texts.one('city')}, {texts.one('street')}"
        )
    lines, total = [], 0
    for number, name in enumerate(texts.some("item", texts.random.randint(5, 11)), start=1):
        count, price = texts.random.randint(1, 40), texts.random.randint(99, 250_000)
        total += count * price
        amounts = (str(count), texts.money(price), texts.money(count * price))
        lines.append((str(number), name, texts.one("unit"), *amounts))
    sheet.ruled((tuple(texts.words("columns_invoice")), *lines), (28, 180, 48, 50, 85, 104))
    sheet.skip(0.5)
    tax = total // 5
    sums = [("total", total), ("tax", tax), ("due", total + tax)]
    columns = (Column(sheet.right - 120, "right"), Column(sheet.right, "right"))
    sheet.rows([(f"{texts.word(key)}:", texts.money(value)) for key, value in sums], columns, spacing=1.2)
    sheet.skip(1)
    sheet.write(texts.paragraph("letter", 2))
    return sheet


def merged_cells(texts: Texts) -> Sheet:
    """Draw a ruled table whose head and first column have merged cells."""
    sheet = Sheet(_small(texts.random), margin=50)
    sheet.heading(texts.word("report", y=texts.random.randint(2015, 2026)), scale=1.6)
    sheet.write(texts.paragraph("prose", 2))
    region, branch, first, second, *quarters = texts.words("columns_merged")
    rows: list[tuple[str, ...]] = [(region, branch, first, "", second, ""), ("", "", *quarters)]
    spans = [Span(0, 0, rows=2), Span(0, 1, rows=2), Span(0, 2, columns=2), Span(0, 4, columns=2)]
    for name in texts.some("region", 3):
        spans.append(Span(len(rows), 0, rows=2))
        for number, city in enumerate(texts.some("city", 2)):
            figures = (texts.money(texts.random.randint(10_000, 9_000_000)) for _ in range(4))
            rows.append(("" if number else name, city, *figures))
    sheet.ruled(tuple(rows), (75, 80, 85, 85, 85, 85), spans)
    sheet.skip(1)
    sheet.write(texts.paragraph("prose", 2))
    return sheet


def price_list(texts: Texts) -> Sheet:
    """Write rows without rules, in groups with a bold title."""
    sheet = Sheet(random_style(texts.random))
    sheet.heading(texts.word("price_list"), scale=1.7, align="center")
    columns = (Column(sheet.left), Column(sheet.left + 90), Column(sheet.right, "right"))
    sheet.rows([texts.words("columns_price")], columns, bold=True, spacing=1.3)
    items = iter(texts.some("item", 15))
    for group in texts.words("groups"):
        sheet.heading(group)
        rows = [
            (texts.code(), next(items), texts.money(texts.random.randint(900, 900_000))) for _ in range(5)
        ]
        sheet.rows(rows, columns, spacing=1.15)
    return sheet


def statement(texts: Texts) -> Sheet:
    """Write a statement of account: dates, details, and sums aligned to the right, some of them missing."""
    sheet = Sheet(_small(texts.random), margin=50)
    sheet.heading(texts.word("statement"), scale=1.5)
    sheet.write(texts.word("account", n=f"{texts.number(4)} {texts.number(4)}"))
    sheet.write(texts.one("person"))
    sheet.skip(1)
    columns = (
        Column(sheet.left),
        Column(sheet.left + 70),
        *(Column(x, "right") for x in (360, 450, sheet.right)),
    )
    sheet.rows([texts.words("columns_statement")], columns, bold=True)
    balance, rows = texts.random.randint(10_000, 9_000_000), []
    for _ in range(texts.random.randint(12, 20)):
        sum_of_money = texts.random.randint(100, 90_000)
        paid_out = texts.random.random() < 0.7
        balance += -sum_of_money if paid_out else sum_of_money
        sums = (texts.money(sum_of_money), "") if paid_out else ("", texts.money(sum_of_money))
        rows.append((texts.date(), texts.one("payment"), *sums, texts.money(abs(balance))))
    sheet.rows(rows, columns, spacing=1.2)
    return sheet


def receipt(texts: Texts) -> Sheet:
    """Write a narrow slip in a monospaced font."""
    foods = texts.some("food", texts.random.randint(6, 10))
    style = random_style(texts.random, monospaced=True)
    sheet = Sheet(style, (227, 160 + 15 * len(foods)), margin=14)
    sheet.write(texts.one("company"), align="center")
    sheet.write(texts.one("street"), align="center")
    sheet.write(texts.word("receipt"), "heading", bold=True, align="center")
    columns = (Column(sheet.left), Column(sheet.right, "right"))
    sheet.rows([(texts.date(), f"{texts.random.randint(8, 21)}:{texts.random.randint(10, 59)}")], columns)
    total, rows = 0, []
    for food in foods:
        price = texts.random.randint(45, 9900)
        total += price
        rows.append((food, texts.money(price)))
    sheet.rows(rows, columns)
    given = (total // 10_000 + 1) * 10_000
    sheet.rows([(texts.word("total"), texts.money(total))], columns, bold=True, spacing=1.4)
    sums = [("cash", given), ("change", given - total)]
    sheet.rows([(texts.word(key), texts.money(value)) for key, value in sums], columns)
    sheet.skip(0.5)
    sheet.write(texts.word("thanks"), align="center")
    return sheet


def _small(random: Random) -> Style:
    """Choose fonts in a size in which the rows fit the page."""
    chosen = random_style(random)
    return Style(chosen.regular, chosen.bold, 9.0)
