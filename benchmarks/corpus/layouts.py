"""Typeset pages: prose and lists, a function for each kind of document."""

from benchmarks.corpus.sheet import A4, Align, Column, Sheet, random_style
from benchmarks.corpus.texts import Texts


def contract(texts: Texts) -> Sheet:
    """Headings are bold and numbered, in the size of the body; the title is centred."""
    sheet = Sheet(random_style(texts.random))
    sheet.heading(f"{texts.word('contract')} {texts.number(3)}", align="center")
    columns = (Column(sheet.left), Column(sheet.right, "right"))
    sheet.rows([(texts.one("city"), texts.day())], columns)
    sheet.skip(0.5)
    (a, b), (p, q) = texts.some("company", 2), texts.some("person", 2)
    sheet.write(texts.word("parties", a=a, b=b, p=p, q=q), align="justify")
    centred = texts.random.random() < 0.5
    clauses = iter(texts.some("clause", 10))
    for number, title in enumerate(texts.some("section", 5), start=1):
        sheet.heading(f"{number}. {title}", align="center" if centred else "left")
        for part in (1, 2):
            sheet.write(f"{number}.{part}. {next(clauses)}", align="justify")
    return sheet


def letter(texts: Texts) -> Sheet:
    """Write blocks at both sides, a bold subject, and paragraphs."""
    sheet = Sheet(random_style(texts.random))
    sender = (texts.one("company"), texts.one("street"), texts.one("city"))
    for line in sender:
        sheet.write(line, align="right")
    sheet.skip(1.5)
    for line in (texts.one("person"), texts.one("street"), texts.one("city")):
        sheet.write(line)
    sheet.skip(1)
    sheet.write(texts.day(), align="right")
    sheet.skip(1)
    sheet.write(texts.word("subject", n=texts.number(5), m=texts.one("product")), "heading", bold=True)
    sheet.skip(1)
    sheet.write(f"{texts.word('dear')} {texts.one('person')}!")
    for _ in range(3):
        sheet.skip(0.7)
        sheet.write(texts.paragraph("letter", 3))
    sheet.skip(1.5)
    sheet.write(texts.word("yours"))
    sheet.skip(1)
    sheet.write(texts.one("person"))
    return sheet


def two_columns(texts: Texts) -> Sheet:
    """Write an article: a large title, and headings and justified paragraphs in two columns."""
    sheet = Sheet(random_style(texts.random), margin=50)
    sheet.heading(
        texts.word("article", w=texts.random.choice(texts.words("subjects"))), scale=1.9, align="center"
    )
    sheet.write(texts.one("person"), align="center")
    sheet.skip(1)
    top, middle, right = sheet.y, sheet.width / 2, sheet.right
    align: Align = texts.random.choice(["left", "justify"])
    titles = texts.words("sections")
    for column in range(2):
        sheet.y = top
        sheet.left, sheet.right = (sheet.left, middle - 12) if column == 0 else (middle + 12, right)
        for title in titles[2 * column : 2 * column + 2]:
            sheet.heading(title, scale=1.25)
            for _ in range(2):
                sheet.write(texts.paragraph("prose", 3), align=align)
                sheet.skip(0.4)
    return sheet


def form(texts: Texts) -> Sheet:
    """Write labels and values over a line, some of them side by side."""
    sheet = Sheet(random_style(texts.random))
    sheet.heading(texts.word("form"), scale=1.3, align="center")
    values = [texts.one("person"), texts.one("city"), texts.date(), texts.one("city"), texts.number(6)]
    labels = texts.some("label", 10)
    for number, label in enumerate(labels):
        sheet.skip(0.9)
        value = values[number % len(values)]
        sheet.rows([(f"{label}:", value)], (Column(sheet.left), Column(sheet.left + 170)))
        sheet.canvas.setLineWidth(0.5)
        sheet.canvas.line(sheet.left + 165, sheet.y - 3, sheet.right, sheet.y - 3)
    sheet.skip(2)
    sheet.rows([(texts.date(), texts.one("person"))], (Column(sheet.left), Column(sheet.right, "right")))
    return sheet


def bullets(texts: Texts) -> Sheet:
    """Write a lead, a numbered list, and a list with bullets."""
    sheet = Sheet(random_style(texts.random))
    sheet.heading(texts.word("instructions"), scale=1.7)
    sheet.write(texts.word("instructions_lead"))
    lines = texts.some("bullet", 10)
    for number, line in enumerate(lines[:5], start=1):
        sheet.write(f"{number}. {line}.", indent=14)
    sheet.skip(0.7)
    sheet.write(texts.paragraph("prose", 2))
    for line in lines[5:]:
        sheet.write(f"• {line};", indent=14)
    sheet.skip(0.7)
    sheet.write(texts.paragraph("prose", 3))
    return sheet


def report(texts: Texts) -> Sheet:
    """Write a running head, a title, large headings, paragraphs, and the number of the page."""
    sheet = Sheet(random_style(texts.random))
    title = texts.word("report", y=texts.random.randint(2015, 2026))
    sheet.rows([(texts.one("company"), title)], (Column(sheet.left), Column(sheet.right, "right")))
    sheet.skip(2)
    sheet.heading(title, scale=2)
    for name in texts.words("sections")[:3]:
        sheet.heading(name, scale=1.35)
        for _ in range(2):
            sheet.write(texts.paragraph("prose", 3), align="justify")
            sheet.skip(0.4)
    sheet.y = 40
    sheet.write(texts.word("page", n=texts.number(2)), align="center")
    return sheet


def requisites(texts: Texts) -> Sheet:
    """Write addresses, codes and names in Latin letters, within the text of the language."""
    sheet = Sheet(random_style(texts.random), A4)
    sheet.heading(texts.word("requisites"), scale=1.4)
    sheet.write(texts.one("company"), bold=True)
    for line in (texts.one("street"), texts.one("city"), texts.one("email"), texts.one("site")):
        sheet.write(line)
    sheet.write(f"{texts.word('bank')}: {texts.one('company')}")
    sheet.write(texts.word("account", n=f"{texts.number(4)} {texts.number(4)}"))
    sheet.skip(1)
    for _ in range(3):
        for sentence in texts.words("mixed"):
            sheet.write(_filled(texts, sentence))
        sheet.write(texts.paragraph("prose", 2))
        sheet.skip(0.5)
    return sheet


def _filled(texts: Texts, sentence: str) -> str:
    return sentence.format(
        p=texts.one("product"), e=texts.one("email"), s=texts.one("site"), c=texts.code(), d=texts.date()
    )
