"""Writes the lists beside this file, each as the programs of its ecosystem write it.

The files are kept, so that a test needs no Python; this script says where they come from. To make them anew:

    python3 -m venv venv
    venv/bin/pip install openpyxl==3.1.5 xlsxwriter==3.3.1 pandas==3.1.1 xlwt==1.3.0 odfpy==1.4.1 \
        vobject==0.9.9 msoffcrypto-tool==6.1.0
    venv/bin/python tests/lists/make.py

Beside each list stands what its owner sees, `<list>.expected.json`: the beginning of what a preview answers. It
is written by hand here (`expect`), never by wapid. Numbers belong to nobody.
"""

import csv
import io
import json
import zipfile
from pathlib import Path

import msoffcrypto.format.ooxml
import openpyxl
import pandas
import vobject
import xlsxwriter
import xlwt
from odf.opendocument import OpenDocumentSpreadsheet
from odf.style import Style, TableProperties
from odf.table import Table, TableCell, TableColumn, TableRow
from odf.text import P

HERE = Path(__file__).parent
ANA, BIA, CY = "5511900000001", "5511900000002", "5511900000003"


def expect(name, people=None, text="Hi {{name|you}}", fields=None, **rest):
    """`people` are what each reads, by number; `fields` go into the request; `rest` is the answer's `list`."""
    told = {"text": text, "fields": fields or {}}
    if "error" in rest:
        told |= {"code": rest["code"], "error": rest["error"]}
    else:
        told |= {"people": [[phone, f"Hi {who}"] for phone, who in people], "list": rest}
    (HERE / f"{name}.expected.json").write_text(json.dumps(told, ensure_ascii=False, indent=1) + "\n")


def write(name, data):
    (HERE / name).write_bytes(data)


# Python's csv, in the encodings of the world's computers.
def encodings():
    for encoding, label, phone, name, heading, assumed in [
        ("utf-8", "UTF-8", ANA, "João", "Telefone", False),
        ("utf-8-sig", "UTF-8", ANA, "João", "Telefone", False),
        ("utf-16", "UTF-16LE", ANA, "João", "Telefone", False),
        ("cp1252", "windows-1252", ANA, "João", "Telefone", True),
        ("cp1251", "windows-1251", "79161234567", "Иван", "Телефон", True),
        ("cp1256", "windows-1256", "966501234567", "محمد", "رقم الهاتف", True),
        ("cp1250", "windows-1250", "420601123456", "Dvořáková", "Telefonní číslo", True),
        ("iso8859_9", "windows-1254", "905321234567", "Işıl", "Telefon Numarası", True),
        ("cp1253", "ISO-8859-7", "306912345678", "Γιώργος", "Τηλέφωνο", True),
        ("cp1255", "windows-1255", "972501234567", "דוד כהן", "טלפון", True),
        ("cp874", "windows-874", "66812345678", "สมชาย", "เบอร์โทร", True),
        ("gbk", "GBK", "8613800138000", "小明", "手机号", True),
        ("shift_jis", "Shift_JIS", "819012345678", "山田太郎", "電話番号", True),
        ("euc_kr", "EUC-KR", "821012345678", "김철수", "전화번호", True),
        ("big5", "Big5", "886912345678", "王小明", "手機號碼", True),
        ("mac_roman", "macintosh", ANA, "João José", "Telefone", True),
        ("cp850", "cp850", ANA, "João José", "Telefone", True),
    ]:
        text = io.StringIO()
        writer = csv.writer(text, delimiter=";")
        writer.writerow(["name", heading])
        writer.writerow([name, phone])
        file = f"csv_{encoding.replace('-', '_')}.csv"
        write(file, text.getvalue().encode(encoding))
        expect(file, [(phone, name)], format="csv", encoding=label, encodingAssumed=assumed, phoneColumn=heading)
    # Vietnam's has the tones as letters of their own.
    dang = "Đă\u0323ng"
    write("csv_cp1258.csv", f"phone;name\n84912345678;{dang}\n".encode("cp1258"))
    expect("csv_cp1258.csv", [("84912345678", dang)], fields={"encoding": "cp1258"}, encoding="windows-1258",
           encodingAssumed=False)


# What other services export.
def services():
    google = ("First Name,Middle Name,Last Name,Labels,E-mail 1 - Label,E-mail 1 - Value,Phone 1 - Label,Phone 1 - Value,"
              "Phone 2 - Label,Phone 2 - Value\n"
              f"Ana,,Silva,* myContacts,* Home,ana@x.example,Home,+55 11 3000-0001,Mobile,+55 11 90000-0001\n"
              f"Bia,,,,,,Home Fax,+55 11 3000-0002,,\n"
              f"Cy,,,,,,Mobile,+55 11 90000-0003,,\n")
    write("google_contacts.csv", google.encode())
    expect("google_contacts.csv", [(ANA, "Ana"), (CY, "Cy")], phoneColumn="Phone 1 - Value", nameColumn="First Name",
           otherPhoneColumns=[{"column": "Phone 2 - Value", "recipients": 1}])
    older = ("Name,Given Name,Family Name,Group Membership,Phone 1 - Type,Phone 1 - Value\n"
             f"Ana Silva,Ana,Silva,* myContacts,Mobile,+{ANA}\n")
    write("google_contacts_older.csv", older.encode("utf-16"))
    expect("google_contacts_older.csv", [(ANA, "Ana Silva")], phoneColumn="Phone 1 - Value", nameColumn="Name")
    outlook = ('"Title","First Name","Last Name","Company","Business Fax","Business Phone","Home Phone","Mobile Phone",'
               '"Primary Phone","Assistant\'s Phone","Notes"\r\n'
               f'"","Jürgen","Groß","","+55 11 3000-0009","","","+{ANA}","","+55 11 90000-0099",""\r\n'
               f'"","Bia","","","","","","","+{BIA}","+55 11 90000-0099",""\r\n'
               '"","Cy","","","+55 11 3000-0009","","","","","+55 11 90000-0099",""\r\n')
    write("outlook.csv", outlook.encode("cp1252"))
    expect("outlook.csv", [(ANA, "Jürgen"), (BIA, "Bia")], phoneColumn="Mobile Phone", encodingAssumed=True,
           otherPhoneColumns=[{"column": "Primary Phone", "recipients": 1},
                              {"column": "Business Phone", "recipients": 0}, {"column": "Home Phone", "recipients": 0}])
    leads = ("id\tcreated_time\tad_id\tad_name\tadset_name\tform_name\tis_organic\tplatform\tfull_name\tphone_number\n"
             f"l:1234567890123456\t2026-11-28T10:15:00-03:00\tag:12020000000\tBig sale\tSet\tForm\tfalse\tfb\tAna\tp:+{ANA}\n")
    write("facebook_leads.csv", leads.encode("utf-16"))
    expect("facebook_leads.csv", [(ANA, "Ana")], phoneColumn="phone_number", nameColumn="full_name", encoding="UTF-16LE",
           delimiter="\t")
    shopify = ("Customer ID,First Name,Last Name,Email,Accepts Email Marketing,Default Address Company,"
               "Default Address Zip,Default Address Phone,Phone,Accepts SMS Marketing,Total Spent,Total Orders,Tags\n"
               f"'7012345678901,Ana,Silva,ana@x.example,yes,,'01310-100,'+5511900000009,'+{ANA},no,10.00,1,vip\n"
               f"'7012345678902,Bia,,,no,,,'+{BIA},,no,0.00,0,\n")
    write("shopify_customers.csv", shopify.encode())
    expect("shopify_customers.csv", [(ANA, "Ana"), (BIA, "Bia")], phoneColumn="Phone", nameColumn="First Name",
           otherPhoneColumns=[{"column": "Default Address Phone", "recipients": 1}])
    woo = ("order_id,order_number,order_date,billing_first_name,billing_last_name,billing_phone,shipping_phone,order_total\n"
           f"1045,100045,2026-11-28 10:15:00,Ana,Silva,+{ANA},,99.90\n")
    write("woocommerce_orders.csv", woo.encode("utf-8-sig"))
    expect("woocommerce_orders.csv", [(ANA, "Ana")], phoneColumn="billing_phone", nameColumn="billing_first_name")
    hubspot = ('"Record ID","First Name","Last Name","Email","Phone Number","Mobile Phone Number","Contact owner","Create Date"\n'
               f'"51","Ana","Silva","ana@x.example","+55 11 3000-0001","+{ANA}","Owner","2026-11-28 10:15"\n')
    write("hubspot.csv", hubspot.encode())
    expect("hubspot.csv", [(ANA, "Ana")], phoneColumn="Mobile Phone Number")
    mailchimp = ('"Email Address","First Name","Last Name","Phone Number","MEMBER_RATING","OPTIN_TIME","LEID"\n'
                 f'"ana@x.example","Ana","Silva","{ANA}","2","2026-11-28 10:15:00","1234567890"\n')
    write("mailchimp.csv", mailchimp.encode())
    expect("mailchimp.csv", [(ANA, "Ana")], phoneColumn="Phone Number")
    pivot = f"Customers July 2026;;\n;;\nNome;Telefone;Cidade\nAna;{ANA};Rio\n"
    write("title_above.csv", pivot.encode())
    expect("title_above.csv", [(ANA, "Ana")], headerRow=3, delimiter=";", nameColumn="Nome")
    write("excel_sep.csv", f"sep=;\r\nname;phone\r\nAna;{ANA}\r\n".encode())
    expect("excel_sep.csv", [(ANA, "Ana")], headerRow=2, delimiter=";")
    write("repeated_headings.csv", f"phone,name,email,email\n{ANA},Ana,a@x.example,b@x.example\n".encode())
    expect("repeated_headings.csv", [(ANA, "Ana")], unreadFields=[{"field": "email", "recipients": 1}])
    question = "Please tell us everything that you would like us to know before we call you back"
    write("google_form.csv", f"Timestamp,Your name,Qual é o seu número de WhatsApp para a entrega?,{question}\n"
          f"28/11/2026 10:15:00,Ana,+{ANA},{'x' * 1500}\n".encode())
    expect("google_form.csv", [(ANA, "Ana")], phoneColumn="Qual é o seu número de WhatsApp para a entrega?",
           unreadFields=[{"field": question[:40], "recipients": 1}])
    write("no_heading_known.csv", f"Wer,Wohin,Bestellung\nAna,+{ANA},4711\nBia,+{BIA},4712\n".encode())
    expect("no_heading_known.csv", [(ANA, "you"), (BIA, "you")], phoneColumn="Wohin", phoneColumnAssumed=True, headerRow=1)
    write("two_numbers_no_heading.csv", f"+{ANA},+55 11 90000-0009\n,+{BIA}\n".encode())
    expect("two_numbers_no_heading.csv", [(ANA, "you"), (BIA, "you")], phoneColumn="column A",
           otherPhoneColumns=[{"column": "column B", "recipients": 1}])
    write("exported.csv", f"row,phone,name,outcome\n1,{ANA},'=cmd,sent\n".encode("utf-8-sig"))
    expect("exported.csv", [(ANA, "=cmd")], phoneColumn="phone")
    write("column_named.csv", f"Name,Zahl,Phone\nAna,{ANA},{BIA}\n".encode())
    expect("column_named.csv", [(ANA, "Ana")], fields={"phoneColumn": "zahl"}, phoneColumn="Zahl")
    write("column_unknown.csv", f"Name,Phone\nAna,{ANA}\n".encode())
    expect("column_unknown.csv", fields={"phoneColumn": "Telefon 7"}, code="UNKNOWN_COLUMN",
           error="no column is called Telefon 7; the columns are: Name, Phone")
    pandas.DataFrame({"phone": [float(ANA), None], "name": ["Ana", "x"]}).to_csv(HERE / "pandas_floats.csv", index=False)
    expect("pandas_floats.csv", [(ANA, "Ana")], phoneColumn="phone")


# Workbooks by xlsxwriter: hidden things as filters and people hide them.
def workbook(name, build):
    book = xlsxwriter.Workbook(HERE / name)
    build(book)
    book.close()


def rows(sheet, *lines, start=0):
    for line, cells in enumerate(lines, start):
        sheet.write_row(line, 0, cells)


def xlsx():
    def hidden_rows(book):
        sheet = book.add_worksheet("People")
        rows(sheet, ("Name", "WhatsApp No", "Secret"), ("Ana", f"+{ANA}", "s"), ("Bia", f"+{BIA}", "s"), ("Cy", f"+{CY}", "s"))
        sheet.autofilter("A1:C4")
        sheet.filter_column(0, "x != Bia")
        sheet.set_row(2, options={"hidden": True})
        sheet.set_column("C:C", None, None, {"hidden": True})

    workbook("hidden_rows.xlsx", hidden_rows)
    expect("hidden_rows.xlsx", [(ANA, "Ana"), (CY, "Cy")], format="xlsx", sheet="People",
           hiddenRows={"count": 1, "rows": [3]}, hiddenColumns=["Secret"])
    workbook("hidden_rows_wanted.xlsx", hidden_rows)
    expect("hidden_rows_wanted.xlsx", [(ANA, "Ana"), (BIA, "Bia"), (CY, "Cy")], fields={"includeHidden": True})

    def old_list(book):
        old = book.add_worksheet("OLD LIST")
        rows(old, ("phone", "name"), ("5511900000009", "OLD"))
        new = book.add_worksheet("New")
        rows(new, ("phone", "name"), (ANA, "Ana"))
        old.hide()
        new.activate()

    workbook("hidden_first_sheet.xlsx", old_list)
    expect("hidden_first_sheet.xlsx", [(ANA, "Ana")], sheet="New", hiddenSheets=["OLD LIST"])
    workbook("hidden_sheet_named.xlsx", old_list)
    expect("hidden_sheet_named.xlsx", [("5511900000009", "OLD")], fields={"sheet": "old list"}, sheet="OLD LIST")
    workbook("sheet_unknown.xlsx", old_list)
    expect("sheet_unknown.xlsx", fields={"sheet": "Liste"}, code="UNKNOWN_SHEET",
           error="no sheet is called Liste; there are: OLD LIST, New")

    def readme_first(book):
        rows(book.add_worksheet("Read me"), ("How to use this file",), ("Fill in the other sheet.",), ("Call 0800 for help",))
        book.add_worksheet("Empty")
        rows(book.add_worksheet("Kunden"), ("Vorname", "Handynummer"), ("Ana", f"+{ANA}"))
        chart = book.add_chart({"type": "column"})
        chart.add_series({"values": "=Kunden!$B$2:$B$2"})
        sheet = book.add_chartsheet("Chart")
        sheet.set_chart(chart)

    workbook("readme_first.xlsx", readme_first)
    expect("readme_first.xlsx", [(ANA, "Ana")], sheet="Kunden", phoneColumn="Handynummer", nameColumn="Vorname")

    def chart_first(book):
        chart = book.add_chart({"type": "column"})
        chart.add_series({"values": "=List!$B$2:$B$2"})
        sheet = book.add_chartsheet("Chart")
        sheet.set_chart(chart)
        rows(book.add_worksheet("List"), ("name", "phone"), ("Ana", ANA))

    workbook("chart_first.xlsx", chart_first)
    expect("chart_first.xlsx", [(ANA, "Ana")], sheet="List")

    def two_lists(book):
        rows(book.add_worksheet("2025"), ("name", "phone"), ("Bia", BIA))
        second = book.add_worksheet("2026")
        rows(second, ("name", "phone"), ("Ana", ANA))
        second.activate()

    workbook("two_lists.xlsx", two_lists)
    expect("two_lists.xlsx", [(ANA, "Ana")], sheet="2026", otherSheets=["2025"])

    def merged_title(book):
        sheet = book.add_worksheet()
        sheet.merge_range("A1:C1", "Customers July 2026")
        rows(sheet, ("Nome", "Telefone", "Cidade"), ("Ana", int(ANA), "Rio"), start=2)

    workbook("merged_title.xlsx", merged_title)
    expect("merged_title.xlsx", [(ANA, "Ana")], headerRow=3, phoneColumn="Telefone", nameColumn="Nome")

    def number_format(book):
        sheet = book.add_worksheet()
        shown = book.add_format({"num_format": '\\+55 (00) 00000\\-0000'})
        rows(sheet, ("name", "phone"))
        sheet.write(1, 0, "Ana")
        sheet.write_number(1, 1, 11900000001, shown)

    workbook("number_format.xlsx", number_format)
    expect("number_format.xlsx", [(ANA, "Ana")])

    def zero_formulas(book):
        sheet = book.add_worksheet()
        rows(sheet, ("name", "phone"), ("Ana", ANA))
        sheet.write(2, 0, "Bia")
        sheet.write_formula(2, 1, '="55"&"11900000002"')

    workbook("formulas_of_xlsxwriter.xlsx", zero_formulas)
    expect("formulas_of_xlsxwriter.xlsx", [(ANA, "Ana")])

    book = openpyxl.Workbook()
    sheet = book.active
    sheet.append(["name", "phone"])
    sheet.append(["Ana", '="55"&"11900000001"'])
    book.save(HERE / "formulas_of_openpyxl.xlsx")
    expect("formulas_of_openpyxl.xlsx", code="NO_RECIPIENTS", error="formula that was never calculated")

    book = openpyxl.Workbook()
    sheet = book.active
    sheet.title = "Müşteriler"
    sheet.append(["Ad Soyad", "Cep Telefonu"])
    sheet.append(["Işıl Öz", "+90 532 123 45 67"])
    sheet.append(["gizli", "+90 532 123 45 68"])
    sheet.row_dimensions[3].hidden = True
    book.save(HERE / "openpyxl.xlsx")
    expect("openpyxl.xlsx", [("905321234567", "Işıl Öz")], sheet="Müşteriler", phoneColumn="Cep Telefonu",
           nameColumn="Ad Soyad", hiddenRows={"count": 1, "rows": [3]})

    frame = pandas.DataFrame({"name": ["Ana", "Bia"], "mobile": [int(ANA), int(BIA)]})
    frame.to_excel(HERE / "pandas.xlsx", index=True, sheet_name="df")
    expect("pandas.xlsx", [(ANA, "Ana"), (BIA, "Bia")], sheet="df", phoneColumn="mobile")

    # As some programs count rows from 0.
    mended = io.BytesIO()
    with zipfile.ZipFile(HERE / "pandas.xlsx") as whole, zipfile.ZipFile(mended, "w", zipfile.ZIP_DEFLATED) as out:
        for part in whole.namelist():
            data = whole.read(part)
            if part == "xl/worksheets/sheet1.xml":
                start = data.index(b"<dimension")
                data = data[:start] + b'<dimension ref="A0:B3"/>' + data[data.index(b">", start) + 1:]
            out.writestr(part, data)
    write("dimension_from_0.xlsx", mended.getvalue())
    expect("dimension_from_0.xlsx", [(ANA, "Ana"), (BIA, "Bia")], sheet="df")

    with open(HERE / "pandas.xlsx", "rb") as plain, open(HERE / "password.xlsx", "wb") as locked:
        msoffcrypto.format.ooxml.OOXMLFile(plain).encrypt("secret", locked)
    expect("password.xlsx", code="INVALID_FILE", error="locked with a password")


def xls():
    book = xlwt.Workbook()
    old = book.add_sheet("Old")
    old.visibility = 1
    sheet = book.add_sheet("Kontakte")
    for line, cells in enumerate([("Name", "Mobil", "x"), ("Ana", int(ANA), 1), ("Bia", "+" + BIA, 2), ("Cy", "+" + CY, 3)]):
        for column, cell in enumerate(cells):
            sheet.write(line, column, cell)
            old.write(line, column, cell)
    sheet.row(2).hidden = True
    sheet.col(2).hidden = True
    sheet.write(4, 0, "Di")
    sheet.write(4, 1, xlwt.Formula('"55"&"11900000004"'))
    book.active_sheet = 1
    book.save(HERE / "xlwt.xls")
    expect("xlwt.xls", [(ANA, "Ana"), (CY, "Cy")], format="xls", sheet="Kontakte", hiddenSheets=["Old"],
           hiddenRows={"count": 1, "rows": [3]}, hiddenColumns=["x"], phoneColumn="Mobil")


def ods():
    book = OpenDocumentSpreadsheet()
    unseen = Style(name="unseen", family="table")
    unseen.addElement(TableProperties(display="false"))
    book.automaticstyles.addElement(unseen)

    def table(name, lines, hidden=(), **rest):
        made = Table(name=name, **rest)
        made.addElement(TableColumn(numbercolumnsrepeated=2))
        made.addElement(TableColumn(visibility="collapse"))
        for line, cells in enumerate(lines):
            row = TableRow(visibility="filter") if line in hidden else TableRow()
            for cell in cells:
                if isinstance(cell, int):
                    made_cell = TableCell(valuetype="float", value=cell)
                else:
                    made_cell = TableCell(valuetype="string")
                made_cell.addElement(P(text=str(cell)))
                row.addElement(made_cell)
            made.addElement(row)
        book.spreadsheet.addElement(made)

    table("Antigos", [("nome", "telefone", "x"), ("OLD", 5511900000009, "x")], stylename=unseen)
    table("Clientes", [("Nome", "Telefone", "Nota"), ("Ana & Cia", int(ANA), "n"), ("Bia", int(BIA), "n"), ("Cy", "+" + CY, "n")],
          hidden=(2,))
    book.save(HERE / "odfpy.ods")
    expect("odfpy.ods", [(ANA, "Ana & Cia"), (CY, "Cy")], format="ods", sheet="Clientes", hiddenSheets=["Antigos"],
           hiddenRows={"count": 1, "rows": [3]}, hiddenColumns=["Nota"], nameColumn="Nome")
    frame = pandas.DataFrame({"Nama": ["Ana"], "No HP": ["+" + ANA]})
    frame.to_excel(HERE / "pandas.ods", engine="odf", index=False)
    expect("pandas.ods", [(ANA, "Ana")], phoneColumn="No HP", nameColumn="Nama")


def others():
    cards = []
    for name, phones in [("João Silva", [("HOME", "+55 11 3000-0001"), ("CELL", f"+{ANA}")]), ("Fax", [("FAX", "+55 11 3000-0002")])]:
        card = vobject.vCard()
        card.add("fn").value = name
        card.add("n").value = vobject.vcard.Name(given=name.split()[0], family=name.split()[-1])
        for kind, phone in phones:
            tel = card.add("tel")
            tel.value, tel.type_param = phone, kind
        cards.append(card.serialize())
    write("vobject.vcf", "".join(cards).encode())
    expect("vobject.vcf", [(ANA, "João Silva")], format="vcard")
    android = ("BEGIN:VCARD\r\nVERSION:2.1\r\nN;CHARSET=UTF-8;ENCODING=QUOTED-PRINTABLE:=53=69=6C=76=61;=4A=6F=C3=A3=6F;;;\r\n"
               f"FN;CHARSET=UTF-8;ENCODING=QUOTED-PRINTABLE:=4A=6F=C3=A3=6F=20=\r\n=53=69=6C=76=61\r\nTEL;CELL:+{ANA}\r\nEND:VCARD\r\n")
    write("android.vcf", android.encode())
    expect("android.vcf", [(ANA, "João Silva")], format="vcard")
    html = ('<html><head><meta http-equiv="Content-Type" content="text/html; charset=iso-8859-1"></head><body>'
            "<table border=1><tr><th colspan=2>Clientes</th></tr><tr><th>Nome</th><th>Telefone</th></tr>"
            f"<tr><td>Jo\xe3o &amp; Cia</td><td>+{ANA}</td></tr><tr style='display: none'><td>x</td><td>+{BIA}</td></tr></table></body></html>")
    write("html_table.xls", html.encode("latin-1"))
    expect("html_table.xls", [(ANA, "João & Cia")], format="html", encoding="windows-1252", headerRow=2,
           hiddenRows={"count": 1, "rows": [4]})
    xml = ('<?xml version="1.0"?><?mso-application progid="Excel.Sheet"?>'
           '<Workbook xmlns="urn:schemas-microsoft-com:office:spreadsheet" xmlns:ss="urn:schemas-microsoft-com:office:spreadsheet">'
           '<Worksheet ss:Name="List"><Table><Column/><Column/><Row><Cell><Data ss:Type="String">Name</Data></Cell>'
           '<Cell ss:Index="3"><Data ss:Type="String">Tel</Data></Cell></Row>'
           f'<Row ss:Index="3"><Cell><Data ss:Type="String">Ana</Data></Cell><Cell ss:Index="3"><Data ss:Type="Number">{ANA}</Data></Cell></Row>'
           f'<Row ss:Hidden="1"><Cell><Data ss:Type="String">Bia</Data></Cell><Cell ss:Index="3"><Data ss:Type="Number">{BIA}</Data></Cell></Row>'
           "</Table></Worksheet></Workbook>")
    write("excel_2003.xml", xml.encode())
    expect("excel_2003.xml", [(ANA, "Ana")], format="xml", sheet="List", phoneColumn="Tel", hiddenRows={"count": 1, "rows": [4]})
    write("array.json", json.dumps([{"mobile": ANA, "firstName": "Ana", "custom": {"a": 1}}, "5511900000002"]).encode())
    expect("array.json", [(ANA, "Ana"), (BIA, "you")], format="json", phoneColumn="mobile", nameColumn="firstName")
    write("lines.jsonl", f'{{"phone":"{ANA}","name":"Ana"}}\n{{"phone":"{BIA}"}}\n'.encode())
    expect("lines.jsonl", [(ANA, "Ana"), (BIA, "you")], format="json")

    def packed(name, files):
        with zipfile.ZipFile(HERE / name, "w", zipfile.ZIP_DEFLATED) as out:
            for path, data in files.items():
                out.writestr(zipfile.ZipInfo(path, (2026, 11, 28, 10, 15, 0)), data)

    packed("one_list.zip", {"contacts/list.csv": f"name;phone\nAna;{ANA}\n", "__MACOSX/contacts/._list.csv": "x", "contacts/": ""})
    expect("one_list.zip", [(ANA, "Ana")], format="csv", packedFile="contacts/list.csv")
    packed("two_lists.zip", {"a.csv": f"phone\n{ANA}\n", "b.csv": f"phone\n{BIA}\n"})
    expect("two_lists.zip", code="INVALID_FILE", error="a zip of 2 files, and a list is one: unpack it and send one of a.csv, b.csv")
    packed("letter.docx", {"[Content_Types].xml": "<a/>", "word/document.xml": "<a/>"})
    expect("letter.docx", code="INVALID_FILE", error="a Word document (.docx)")
    packed("apple.numbers", {"Index/Document.iwa": "x", "Metadata/Properties.plist": "x"})
    expect("apple.numbers", code="INVALID_FILE", error="Apple's Numbers")
    packed("binary.xlsb", {"[Content_Types].xml": "<a/>", "xl/workbook.bin": "x"})
    expect("binary.xlsb", code="INVALID_FILE", error="(.xlsb)")
    for name, data, error in [
        ("scan.pdf", b"%PDF-1.7\n", "a PDF"),
        ("photo.png", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "a picture"),
        ("list.csv.gz", b"\x1f\x8b\x08\0\0\0\0\0", "a packed file that is no zip"),
        ("letter.rtf", b"{\\rtf1 hello}", "(.rtf)"),
        ("page.html", b"<html><body>Not found</body></html>", "a web page without a table"),
        ("object.json", b'{"contacts": [\n{"phone": "1"}\n]}', "a JSON object, and a list is an array"),
    ]:
        write(name, data)
        expect(name, code="INVALID_FILE", error=error)


# Whose number it is, what of it stands in another column, and where its person stands.
def whose():
    text = f"Paciente;Médico;Celular do médico;Telefone\nAna;Dr. Leal;5511900000099;{ANA}\nBia;Dr. Leal;5511900000099;\n"
    write("doctor_beside.csv", text.encode())
    expect("doctor_beside.csv", [(ANA, "you")], phoneColumn="Telefone", phoneColumnAssumed=False, otherPhoneColumns=None)
    write("drivers.csv", f"Driver,Driver Phone\nAna,{ANA}\n".encode())
    expect("drivers.csv", [(ANA, "you")], phoneColumn="Driver Phone", phoneColumnAssumed=True)
    outlook = ("Имя;Фамилия;Телефон помощника;Рабочий телефон;Телефон переносной;Другой телефон\r\n"
               "Иван;Петров;+79161234560;;+79161234567;\r\nМария;;+79161234560;;;\r\n")
    write("outlook_ru.csv", outlook.encode("cp1251"))
    expect("outlook_ru.csv", [("79161234567", "Иван")], phoneColumn="Телефон переносной", nameColumn="Имя")
    write("code_beside.csv", b"Nama,Kode Negara,No HP\nBudi,62,81234567890\nSiti,+62,081234567891\nAdi,62,6281234567892\n")
    expect("code_beside.csv", [("6281234567890", "Budi"), ("6281234567891", "Siti"), ("6281234567892", "Adi")],
           phoneColumn="No HP", numberPartColumns=[{"column": "Kode Negara", "recipients": 2}])
    write("area_beside.csv", "Nome;DDI;DDD;Celular\nAna;55;11;900000001\nBia;55;11;5511900000002\n".encode())
    expect("area_beside.csv", [(ANA, "Ana"), (BIA, "Bia")])
    write("country_beside.csv", b"Name,Country,Phone\nRavi,India,9876543210\nEva,Germany,015123456789\nAna,BR,11900000001\n")
    expect("country_beside.csv", [("919876543210", "Ravi"), ("4915123456789", "Eva"), (ANA, "Ana")],
           fields={"defaultCountry": "BR"})
    write("no_headings_taxpayers.csv", b"52998224725;Ana;11900000001\n11144477735;Bia;11900000002\n")
    expect("no_headings_taxpayers.csv", [(ANA, "Ana"), (BIA, "Bia")], fields={"defaultCountry": "BR"},
           phoneColumn="column C", phoneColumnAssumed=True)
    write("sorted_headings.csv", f"Ana,{ANA}\nBia,{BIA}\nNome,Telefone\nZé,{CY}\n".encode())
    expect("sorted_headings.csv", [(ANA, "Ana"), (BIA, "Bia"), (CY, "Zé")], headerRow=3)
    write("whatsapp_same.csv", f"Nome,WhatsApp,Telefone\nAna,-,{ANA}\nBia,mesmo,{BIA}\nCy,{CY},5511900000009\n".encode())
    expect("whatsapp_same.csv", [(ANA, "Ana"), (BIA, "Bia"), (CY, "Cy")], phoneColumn="WhatsApp",
           otherPhoneColumns=[{"column": "Telefone", "recipients": 2}])
    write("unknown_numbers.csv", f"Nome;Telefone\nAna;{ANA}\nBia;1111111111\nTotal de contatos;1234567\n".encode())
    expect("unknown_numbers.csv", [(ANA, "Ana"), ("1111111111", "Bia")], unknownNumbers={"count": 1, "rows": [3]})
    write("order_numbers.csv", f"Name,Billing Name,Billing Phone\n#1001,Ana Silva,{ANA}\n#1002,NULL,{BIA}\n".encode())
    expect("order_numbers.csv", [(ANA, "Ana Silva"), (BIA, "you")], nameColumn="Billing Name")
    asked = "Qual é o seu número de WhatsApp com DDD? (Exemplo: 11 98765-4321)"
    write("example_in_heading.csv", f'Nome,"{asked}"\nAna,{ANA}\nBia,{BIA}\n'.encode())
    expect("example_in_heading.csv", [(ANA, "Ana"), (BIA, "Bia")], phoneColumn=asked, headerRow=1)
    write("one_row.txt", f"{ANA}, {BIA}, {CY}".encode())
    expect("one_row.txt", [(ANA, "you"), (BIA, "you"), (CY, "you")])
    write("two_tables.csv", f"Nome,Telefone,,Nome,Telefone\nAna,{ANA},,Bia,{BIA}\n".encode())
    expect("two_tables.csv", [(ANA, "Ana")], otherTables=["column E"])
    card = f"BEGIN:VCARD\nVERSION:3.0\nFN:Ana\nitem1.TEL;type=pref:+551133334444\nitem1.X-ABLabel:_$!<HomeFAX>!$_\nitem2.TEL:+{ANA}\nitem2.X-ABLabel:WhatsApp\nEND:VCARD\n"
    card += f"BEGIN:VCARD\nVERSION:3.0\nFN:Bia\nTEL;type=CELL:+551133334445\nitem1.TEL;waid={BIA}:011 90000-0002\nEND:VCARD\n"
    write("apple_labels.vcf", card.encode())
    expect("apple_labels.vcf", [(ANA, "Ana"), (BIA, "Bia")], format="vcard")


# Text files that somebody has put together, and files that are no list.
def mixed():
    people = "".join(f"João {n};551190000{n:04}\n" for n in range(1, 6))
    write("mixed_encodings.csv", f"Nome;Telefone\n{people}".encode() + "Conceição;5511900000009\n".encode("cp1252"))
    expect("mixed_encodings.csv", [(f"551190000{n:04}", f"João {n}") for n in range(1, 6)] + [("5511900000009", "Conceição")],
           encoding="UTF-8", encodingAssumed=True,
           otherEncoding={"encoding": "windows-1252", "count": 1, "rows": [7]})
    write("cut_off.csv", f"Nome;Telefone\nJoão;{ANA}\nJos".encode() + b"\xc3")
    expect("cut_off.csv", [(ANA, "João")], encoding="UTF-8")
    write("quoted_rows.csv", f'"Nome,""Telefone"",Cidade"\n"Ana,""{ANA}"",""Rio, RJ"""\n"Bia,{BIA},x"\n'.encode())
    expect("quoted_rows.csv", [(ANA, "Ana"), (BIA, "Bia")], delimiter=",")
    write("name_comma.csv", "Name, Vorname;Handy\nMuster, Eva;+4915123456789\nBeispiel, Max;+4915123456780\n".encode())
    expect("name_comma.csv", [("4915123456789", "Muster, Eva"), ("4915123456780", "Beispiel, Max")], delimiter=";")
    page = ("<style>.gone{display:none}</style><table><tr><th colspan=2>Cliente</th><th>Telefone</th></tr>"
            f"<tr class=gone><td>Old</td><td>x</td><td>{BIA}</td></tr><tr><td>Ana</td><td>Silva</td><td>{ANA}</td></tr></table>")
    write("joined_cells.xls", page.encode())
    expect("joined_cells.xls", [(ANA, "you")], format="html", phoneColumn="Telefone", hiddenRows={"count": 1, "rows": [2]})
    for name, data, code, error in [
        ("chat.txt", "[28/11/2026 10:15:01] Ana: oi\n[28/11/2026 10:16:01] Bia: oi\n", "INVALID_FILE", "a chat"),
        ("answer.json", '{"error": "unauthorized"}', "INVALID_FILE", "the answer of a server that says unauthorized"),
        ("contacts.ldif", f"dn: cn=Ana\nmobile: +{ANA}\n", "INVALID_FILE", "LDIF"),
        ("header_only.csv", "Nome;Telefone\n", "NO_RECIPIENTS", "the file has a header and no rows"),
    ]:
        write(name, data.encode())
        expect(name, code=code, error=error)


# Formats that hold a part of the number.
def formats():
    book = xlsxwriter.Workbook(HERE / "formats.xlsx", {"in_memory": True})
    sheet = book.add_worksheet("List")
    sheet.write_row(0, 0, ["Nome", "Telefone", "Desconto"])
    percent = book.add_format({"num_format": "0%"})
    for row, (name, number, code) in enumerate([
        ("Ana", 11900000001, '"(+55) "(00) 00000-0000'), ("Bia", 11900000002, '"55"00000000000'),
        ("Cy", 11900000003, "[$+55] 0"),
    ], 1):
        sheet.write(row, 0, name)
        sheet.write(row, 1, number, book.add_format({"num_format": code}))
        sheet.write(row, 2, 0.3, percent)
    book.close()
    expect("formats.xlsx", [(ANA, "Ana 30%"), (BIA, "Bia 30%"), (CY, "Cy 30%")], text="Hi {{Nome}} {{Desconto}}")
    book = xlsxwriter.Workbook(HERE / "zeros.xlsx", {"in_memory": True})
    sheet = book.add_worksheet("List")
    sheet.write_row(0, 0, ["Nom", "Tél"])
    sheet.write(1, 0, "Zoé")
    sheet.write(1, 1, 612345678, book.add_format({"num_format": "00 00 00 00 00"}))
    book.close()
    expect("zeros.xlsx", [("33612345678", "Zoé")], fields={"defaultCountry": "FR"})


if __name__ == "__main__":
    for make in [encodings, services, xlsx, xls, ods, others, whose, mixed, formats]:
        make()
