//! Tests of the readers: from the bytes of a file to its rows, or to what is wrong with
//! it. The files of `tests/data/import` are ones that people had.

use std::{
    fs,
    io::{Cursor, Write as _},
    ops::ControlFlow,
    path::Path,
};

use proptest::prelude::*;

use super::{
    Fault, Form,
    columns::{Column, Item},
    csv, ndjson,
    row::{self, Row, Who},
    workbook,
};
use crate::people;

/// What was read: each row or problem as a line of text, and at last what stopped it.
fn said(form: Form, bytes: &[u8]) -> Vec<String> {
    let (mut lines, ignored) = (Vec::new(), ["notes".to_owned()]);
    let mut each = |item: Item<'_>| {
        match item {
            Item::Record(record) => match row::read(&record, &[]) {
                Ok(row) => lines.push(shown(&row)),
                Err(problems) => lines.extend(problems.iter().map(ToString::to_string)),
            },
            Item::Empty => lines.push("empty".into()),
            Item::Problem(problem) => lines.push(problem.to_string()),
        }
        ControlFlow::Continue(())
    };
    let read = match form {
        Form::Table => csv::read(bytes, &ignored, &mut each),
        Form::Lines => ndjson::read(bytes, &ignored, &mut each),
        Form::Workbook => {
            let mut file = tempfile::tempfile().unwrap();
            file.write_all(bytes).unwrap();
            workbook::read(file, None, SMALL, &ignored, &mut each)
        }
    };
    match read {
        Ok(()) => {}
        Err(Fault::Problem(problem)) => lines.push(problem.to_string()),
        Err(Fault::Problems(problems)) => lines.extend(problems.iter().map(ToString::to_string)),
        Err(Fault::Form(problem)) => lines.push(problem.into()),
        Err(Fault::Workbook(reason)) => lines.push(format!("no workbook: {reason}")),
        Err(Fault::Nothing) => lines.push("nothing".into()),
        Err(other) => panic!("{other:?}"),
    }
    lines
}

fn shown(row: &Row) -> String {
    let who = match row.who {
        Who::Name(_) => "by name".to_owned(),
        Who::Id(user) => user.to_string()[..4].to_owned(),
    };
    let name = row
        .profile
        .as_ref()
        .map_or("-", |profile| &profile.username);
    let mut text = format!("{} {who} {name}", row.line);
    if let Some(action) = &row.action {
        let id = action.id.as_ref().map_or("", |id| id.as_str());
        text += &format!(" {id}/{} {:+}", action.action_type, action.increase);
    }
    text
}

#[track_caller]
fn check(form: Form, bytes: impl AsRef<[u8]>, expected: &[&str]) {
    let said = said(form, bytes.as_ref());
    assert_eq!(said.len(), expected.len(), "{said:#?}");
    for (said, expected) in said.iter().zip(expected) {
        assert!(
            said.starts_with(expected.trim_end_matches('…')),
            "{said:?}, not {expected:?}"
        );
    }
}

#[track_caller]
fn table(text: &str, expected: &[&str]) {
    check(Form::Table, text, expected);
}

#[test]
fn files_that_people_had_are_taken_or_told_what_is_wrong() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/import");
    let cases: &[(&str, &[&str])] = &[
        ("RESULTS.CSV", &["2 0b6f Ada"]),
        (
            "blank-lines-then-bad.csv",
            &[r#"line 4: column "userId": "nope" is not a UUID…"#],
        ),
        ("capital-header.csv", &["2 0b6f Ada"]),
        (
            "crlf-third-line-bad.csv",
            &[
                "2 0b6f Ada",
                r#"line 3: column "userId": "nope" is not a UUID…"#,
            ],
        ),
        (
            "empty-rows-at-end.csv",
            &["2 0b6f Ada /result +10", "empty", "empty"],
        ),
        ("header-only.csv", &[]),
        (
            "hex.csv",
            &[
                r#"line 2: column "scoreIncrease": "0x10" is hexadecimal, and points are decimal: write 16"#,
            ],
        ),
        (
            "names-only.csv",
            &[
                "2 by name Ada /result +10",
                "3 by name Grace /result +20",
                "4 by name Ada /result +5",
            ],
        ),
        (
            "numbers-as-excel-writes-them.csv",
            &[
                "2 0b6f p0 /t +5",
                "3 0b6f p1 /t +1000",
                r#"line 4: column "scoreIncrease": "1,000" has signs between its digits: write 1000"#,
                r#"line 5: column "scoreIncrease": "−5" begins with a dash that is no minus sign of a number: write -5"#,
                "6 0b6f p4 /t +9000000000000000",
            ],
        ),
        (
            "semicolons.csv",
            &["2 0b6f Ada /result +10", "3 0b6f Grace /result +20"],
        ),
        ("sep-line.csv", &["3 0b6f Ada"]),
        ("tabs.csv", &["2 0b6f Ada /result +10"]),
        ("trailing-comma.csv", &["2 0b6f Ada"]),
        ("utf16le-bom.csv", &["2 0b6f Zoë"]),
        (
            "windows-1252.csv",
            &["line 2: has letters that are not UTF-8: save the file as CSV UTF-8…"],
        ),
        (
            "workbook.xlsx",
            &[
                "2 by name Ada /result +10",
                "3 by name Grace /result +20",
                "5 by name Zoë 👩\u{200d}🚀 /result +1000",
                "6 by name Mary J. /result +5",
            ],
        ),
    ];
    let mut files: Vec<_> = fs::read_dir(&folder)
        .unwrap()
        .map(|it| it.unwrap().file_name())
        .collect();
    files.sort();
    let names: Vec<_> = cases.iter().map(|(name, _)| *name).collect();
    assert_eq!(files, names, "all files have a case");
    for (name, expected) in cases {
        let form = Form::of(Path::new(name)).unwrap();
        check(form, fs::read(folder.join(name)).unwrap(), expected);
    }
}

#[test]
fn lines_are_counted_as_an_editor_counts() {
    let bad = |line: u64| format!(r#"line {line}: column "points": "x"…"#);
    for (text, line) in [
        ("name,points\nAda,x\n", 2),
        ("name,points\r\nAda,x\r\n", 2),
        ("name,points\rAda,x\r", 2),
        ("name,points\r\n\r\n\r\nAda,x", 4),
        ("\n\nname,points\n\nAda,x", 5),
        ("\r\rname,points\r\rAda,x", 5),
        ("name,notes,points\n\"A\",\"two\nlines\",x", 2),
        ("sep=,\r\nname,points\r\nAda,x", 3),
    ] {
        table(text, &[&bad(line)]);
    }
    for (ends, lines) in [("\n", [2, 5]), ("\r\n", [2, 5]), ("\r", [2, 5])] {
        let text = "name,notes,points|Ada,\"three|or|more\",1|Bob,,x|".replace('|', ends);
        let first = format!("{} by name Ada", lines[0]);
        table(&text, &[&first, &bad(lines[1])]);
    }
}

#[test]
fn separators_and_headers_are_found() {
    let row = ["2 by name Ada /quiz +3"];
    for text in [
        "name,points,type\nAda,3,quiz\n",
        "name;points;type\nAda;3;quiz\n",
        "name\tpoints\ttype\nAda\t3\tquiz\n",
        "name|points|type\nAda|3|quiz\n",
        "\u{feff}\"Name\",\"Points\",\"Type\"\n\"Ada\",\"3\",\"quiz\"\n",
        " NAME ; Score Increase ; action_type \n Ada ; 3 ; quiz \n",
        "Name,Points,Type,,,\nAda,3,quiz,,,\n",
        "Name,Points,Type\nAda,3,quiz,,,,,\n",
        "Player Name,SCORE,Action-Type,notes\nAda,3,quiz,\"a, b; c\"\n",
    ] {
        table(text, &row);
    }
    table("\"sep=;\"\nname;points\nAda;3\n", &["3 by name Ada"]);
    table(
        "name\nAda\n\"Bob, the builder\"\n",
        &["2 by name Ada", "3 by name Bob, the builder"],
    );
}

#[test]
fn headers_that_cannot_be_used_are_told_for_their_line() {
    for (text, problems) in [
        (
            "Ada,10\nBob,20\n",
            vec!["line 1: no column has a name that is known. The first line…"],
        ),
        (
            "name:points\nAda:1\n",
            vec!["line 1: no column has a name that is known…"],
        ),
        ("points\n1\n", vec!["line 1: no column says who it is…"]),
        (
            "\nname,colour,size\n",
            vec![
                r#"line 2: column "colour": is not known…"#,
                r#"line 2: column "size": is not known…"#,
            ],
        ),
        (
            "name,id\n",
            vec![r#"line 1: column "id": may mean two things: call it userId…"#],
        ),
        (
            "name,points,Points\n",
            vec![r#"line 1: column "Points": means the same as the column "points"…"#],
        ),
        ("", vec!["nothing"]),
        ("\n\r\n\n", vec!["nothing"]),
        ("\u{feff}", vec!["nothing"]),
        ("sep=;", vec!["nothing"]),
    ] {
        table(text, &problems);
    }
}

#[test]
fn rows_without_any_value_and_short_ones_are_no_mistakes() {
    table(
        "name,points\n,\n \t, \nAda\nBob,\n",
        &["empty", "empty", "4 by name Ada", "5 by name Bob"],
    );
    table(
        "name,points\nAda,1,2\n",
        &[r#"line 2: column "3": "2" is one more than the first line has…"#],
    );
    table(
        "name,,points\nAda,x,2\n",
        &[r#"line 2: column "2": "x" has no name in the first line…"#],
    );
    table("name,points\nAda,1\n  ", &["2 by name Ada", "empty"]);
    // What ends in the middle of a row was cut.
    table(
        "name,points,type\nAda,1,a\nBo",
        &["2 by name Ada", "line 3: is the last one, and ends early…"],
    );
}

#[test]
fn all_that_is_wrong_with_a_row_is_told() {
    let id = "0b6f3f0e-6f0a-4b55-9d0c-2f6a1c7d9e00";
    let header = "userId,username,avatar,actionId,actionType,scoreIncrease";
    table(
        &format!("{header}\nme,\u{202e}x,,,{},5.5\n", "t".repeat(65)),
        &[
            r#"line 2: column "userId": "me" is not a UUID…"#,
            r#"line 2: column "username": "\u{202e}x" cannot be taken…"#,
            r#"line 2: column "scoreIncrease": "5.5" is no whole number…"#,
            r#"line 2: column "actionType": "ttt…"#,
        ],
    );
    table(
        &format!(
            "{header}\n{id},Ada,a.png,,,\n{id},,,1,goal,\n{id},,,,,\n,Bob,,,,1\n{id},,/a.png,,,\n"
        ),
        &[
            r#"line 2: column "avatar": "a.png" cannot be taken…"#,
            "line 3: has an action without points: fill scoreIncrease…",
            "line 4: says nothing about this person…",
            "line 5: does not say who it is: fill userId…",
            "line 6: has an avatar and no name…",
        ],
    );
    // One row may register somebody and count what they did.
    table(
        &format!("{header}\n{id},Ada,,a1,goal,1\n"),
        &["2 0b6f Ada a1/goal +1"],
    );
}

#[test]
fn external_ids_make_people() {
    let id = |text| people::ExternalId::new(text).unwrap().user().to_string()[..4].to_owned();
    let rows = [format!("2 {} Ada", id("7")), format!("3 {} Ada", id("x-8"))];
    table("External ID,name\n7,Ada\nx-8,Ada\n", &[&rows[0], &rows[1]]);
    table(
        "externalId,name\n1.23457E+12,Ada\n",
        &[
            r#"line 2: column "externalId": "1.23457E+12" is a number that a spreadsheet has shortened…"#,
        ],
    );
    table(
        "externalId,userId,name\n7,0b6f3f0e-6f0a-4b55-9d0c-2f6a1c7d9e00,Ada\n",
        &["line 2: has a userId and an externalId…"],
    );
}

#[test]
fn hostile_tables_end_in_a_bounded_problem() {
    let long = "x".repeat(1024 * 1024 + 100);
    let too_long = "begins a row of more than 1 MiB: is there a double quote…";
    table(&long, &[&format!("line 1: {too_long}")]);
    table(
        &format!("name\n{long}\n"),
        &[&format!("line 2: {too_long}")],
    );
    table(
        &format!("name\nAda\n\"Bob\n{}", "line\n".repeat(300_000)),
        &["2 by name Ada", &format!("line 3: {too_long}")],
    );
    table(
        "name,points\nAda,1\n\"Bob,2\nEve,3\n",
        &[
            "2 by name Ada",
            "line 3: begins a row with a double quote that is never closed",
        ],
    );
    table(
        "name\n\"Bob",
        &["line 2: begins a row with a double quote that is never closed"],
    );
    table(
        &"name,".repeat(10_000),
        &["line 1: has more than 256 columns"],
    );
    table(
        &format!("name\nAda{}\n", ",".repeat(10_000)),
        &["line 2: has more than 256 columns"],
    );
    table("name\nA\0b\n", &["line 2: holds a zero byte…"]);
    check(
        Form::Table,
        b"n\0a\0m\0e\0\n\0",
        &["line 1: holds a zero byte…"],
    );
    check(
        Form::Table,
        b"name\nA\xff\xfe\n",
        &["line 2: has letters that are not UTF-8…"],
    );
    check(
        Form::Table,
        b"name\nAd\xc3",
        &["line 2: has letters that are not UTF-8…"],
    );
    check(Form::Table, b"PK\x03\x04....", &["this is a workbook…"]);
    check(
        Form::Table,
        b"\xd0\xcf\x11\xe0....",
        &["this is a workbook of an old kind…"],
    );
    // The escape of a terminal is not shown as it is.
    let escape = said(Form::Table, b"name,points\nAda,\x1b[2J\n");
    assert_eq!(escape[0].matches('\x1b').count(), 0, "{escape:?}");
}

#[test]
fn lines_of_json_have_the_same_columns() {
    check(
        Form::Lines,
        "\u{feff}{\"name\":\"Ada\",\"points\":5.0}\r\n\r\n{\"Name\":\"Bob\",\"points\":\"1E3\"}\n\
         {\"externalId\":7,\"name\":\"Eve\",\"scoreIncrease\":-9007199254740991,\"notes\":[1]}",
        &[
            "1 by name Ada /result +5",
            "3 by name Bob /result +1000",
            "4 ",
        ],
    );
    check(
        Form::Lines,
        "[1]\n{\"userId\"\n{\"name\":\"Ada\",\"points\":5.5}\n{\"name\":true}\n{\"colour\":1}\n\
         {\"name\":\"Ada\",\"player\":\"Bob\"}\n{}\n{\"name\":\"Ada\",\"points\":9007199254740993}\n",
        &[
            "line 1: must be a JSON object",
            "line 2: is no JSON, at column",
            r#"line 3: column "scoreIncrease": "5.5" is no whole number…"#,
            r#"line 4: column "username": "true" is true or false…"#,
            r#"line 5: column "colour": is not known…"#,
            r#"line 6: column "player": is there twice…"#,
            "line 7: does not say who it is…",
            r#"line 8: column "scoreIncrease": "9007199254740993" is beyond…"#,
        ],
    );
    check(Form::Lines, "\n\n", &["nothing"]);
    check(
        Form::Lines,
        "x".repeat(2 * 1024 * 1024),
        &["line 1: has more than 1 MiB…"],
    );
    check(
        Form::Lines,
        b"{\"name\":\"A\xeb\"}",
        &["line 1: has letters that are not UTF-8…"],
    );
}

/// Bounds for tests, which would wait long for larger ones to be reached.
const SMALL: workbook::Bounds = workbook::Bounds {
    part: 4 * 1024 * 1024,
    all: 6 * 1024 * 1024,
};

/// A workbook of one sheet with these rows, and of other parts.
fn workbook_of(rows: &str, strings: &str, others: &[(&str, &[u8])]) -> Vec<u8> {
    const MAIN: &str = "http://schemas.openxmlformats.org/spreadsheetml/2006/main";
    const OFFICE: &str = "http://schemas.openxmlformats.org/officeDocument/2006/relationships";
    const PACKAGE: &str = "http://schemas.openxmlformats.org/package/2006/relationships";
    let book = format!(
        r#"<workbook xmlns="{MAIN}" xmlns:r="{OFFICE}"><sheets><sheet name="A" sheetId="1" r:id="rId1"/></sheets></workbook>"#
    );
    let relations = format!(
        r#"<Relationships xmlns="{PACKAGE}"><Relationship Id="rId1" Type="{OFFICE}/worksheet" Target="worksheets/sheet1.xml"/><Relationship Id="rId2" Type="{OFFICE}/sharedStrings" Target="sharedStrings.xml"/></Relationships>"#
    );
    let package = format!(
        r#"<Relationships xmlns="{PACKAGE}"><Relationship Id="rId1" Type="{OFFICE}/officeDocument" Target="xl/workbook.xml"/></Relationships>"#
    );
    let sheet = format!(r#"<worksheet xmlns="{MAIN}"><sheetData>{rows}</sheetData></worksheet>"#);
    let strings = format!(r#"<sst xmlns="{MAIN}">{strings}</sst>"#);
    let parts: &[(&str, &[u8])] = &[
        ("_rels/.rels", package.as_bytes()),
        ("xl/workbook.xml", book.as_bytes()),
        ("xl/_rels/workbook.xml.rels", relations.as_bytes()),
        ("xl/sharedStrings.xml", strings.as_bytes()),
        ("xl/worksheets/sheet1.xml", sheet.as_bytes()),
    ];
    let mut archive = zip::ZipWriter::new(Cursor::new(Vec::new()));
    let options = zip::write::SimpleFileOptions::default()
        .compression_method(zip::CompressionMethod::Deflated);
    for (name, bytes) in parts.iter().chain(others) {
        archive.start_file(*name, options).unwrap();
        archive.write_all(bytes).unwrap();
    }
    archive.finish().unwrap().into_inner()
}

/// A row with these cells, as XML.
fn cells(number: usize, cells: &[&str]) -> String {
    format!(r#"<row r="{number}">{}</row>"#, cells.concat())
}

const NAME: &str = r#"<c r="A1" t="inlineStr"><is><t>name</t></is></c>"#;
const POINTS: &str = r#"<c r="B1" t="str"><v>points</v></c>"#;

#[test]
fn cells_of_workbooks_are_read_as_they_are_shown() {
    let strings = "<si><t>Ada</t></si><si><r><t>Gra</t></r><r><t>ce</t></r></si>";
    let rows = [
        cells(1, &[NAME, POINTS]),
        cells(
            3,
            &[
                r#"<c r="A3" t="s"><v>0</v></c>"#,
                r#"<c r="B3"><v>5.0</v></c>"#,
            ],
        ),
        // A formula with the value that it had.
        cells(
            4,
            &[
                r#"<c r="A4" t="s"><v>1</v></c>"#,
                r#"<c r="B4"><f>B3*2</f><v>10</v></c>"#,
            ],
        ),
        cells(
            5,
            &[
                r#"<c r="A5"><v>7</v></c>"#,
                r#"<c r="B5"><v>9.00E+15</v></c>"#,
            ],
        ),
        cells(6, &[r#"<c r="A6"/>"#, r#"<c r="B6" t="s"/>"#]),
        cells(
            7,
            &[
                r#"<c r="A7" t="s"><v>0</v></c>"#,
                r#"<c r="B7" t="b"><v>1</v></c>"#,
            ],
        ),
        cells(
            8,
            &[
                r#"<c r="A8" t="s"><v>0</v></c>"#,
                r#"<c r="B8" t="e"><v>#N/A</v></c>"#,
            ],
        ),
    ];
    check(
        Form::Workbook,
        workbook_of(&rows.concat(), strings, &[]),
        &[
            "3 by name Ada /result +5",
            "4 by name Grace /result +10",
            "5 by name 7 /result +9000000000000000",
            "empty",
            r#"line 7: column "points": "TRUE" is true or false: write a whole number"#,
            r##"line 8: column "points": "#N/A" is an error of a formula: write a whole number"##,
        ],
    );
    check(Form::Workbook, workbook_of("", "", &[]), &["nothing"]);
}

#[test]
fn hostile_workbooks_end_in_a_bounded_problem() {
    let table = cells(1, &[NAME]);
    let zeros = vec![b' '; 3 * 1024 * 1024];
    let larger = vec![b' '; 5 * 1024 * 1024];
    for parts in [
        vec![("xl/media/a.png", &*larger)],
        vec![("a", &*zeros), ("b", &*zeros)],
    ] {
        let bytes = workbook_of(&table, "", &parts);
        assert!(bytes.len() < 100_000, "{}", bytes.len());
        check(
            Form::Workbook,
            bytes,
            &["this workbook is too large when it is unpacked…"],
        );
    }
    // One string that stands in many cells.
    let strings = format!("<si><t>{}</t></si>", "x".repeat(500_000));
    let cell = |column: &str| format!(r#"<c r="{column}2" t="s"><v>0</v></c>"#);
    let row = ["A", "B", "C"].map(cell).concat();
    let bytes = workbook_of(&(table.clone() + &cells(2, &[&row])), &strings, &[]);
    check(Form::Workbook, bytes, &["line 2: has more than 1 MiB"]);
    let far = cells(2, &[r#"<c r="XFD2"><v>1</v></c>"#]);
    check(
        Form::Workbook,
        workbook_of(&(table + &far), "", &[]),
        &["line 2: has more than 256 columns"],
    );
    let broken = workbook_of("<row><c><v>1</row>", "", &[]);
    check(Form::Workbook, broken, &["no workbook: …"]);
}

#[test]
fn a_quote_that_is_not_doubled_is_an_error() {
    const STRAY: &str = "has a double quote in its quotes that does not end it: write it twice";
    let bad = |line: u64, column: &str, value: &str| {
        format!("line {line}: column {column:?}: {value:?} {STRAY}…")
    };
    for (row, value) in [
        (r#""Ada "the" x",1"#, r#"Ada the" x""#),
        (r#""Ada"x,1"#, "Adax"),
        (r#""Ada" "the x",1"#, r#"Ada "the x""#),
        (r#""Ada""x"y,1"#, r#"Ada"xy"#),
        // A quote that is not closed, and the next row.
        ("\"Ada,1\n\"Bob\",2", "Ada,1\nBob\""),
    ] {
        let text = format!("name,points\n{row}\nEve,3\n");
        table(&text, &[&bad(2, "name", value), "…"]);
    }
    table("name,points\nEve,\"1\"2\n", &[&bad(2, "points", "12")]);
    let notes = "name;points;notes\nEve;1;\"a, \"b\"\"\n";
    table(notes, &[&bad(2, "3", "a, b\"\"")]);
    table("\"na\"me,points\nEve,1\n", &[&bad(1, "1", "name")]);
    // As it has to be, and what is no quoted field at all.
    for (row, name) in [
        (r#""Ada ""the"" x",1"#, r#"Ada "the" x"#),
        (r#""""Ada""",1"#, r#""Ada""#),
        (r#""Ada" ,1"#, "Ada"),
        (r#"Ada "the" x,1"#, r#"Ada "the" x"#),
    ] {
        let taken = format!("2 by name {name} /result +1");
        table(&format!("name,points\n{row}\n"), &[&taken]);
    }
}

/// A file that comes in pieces of some bytes.
struct Pieces<'a>(&'a [u8], usize);

impl std::io::Read for Pieces<'_> {
    fn read(&mut self, bytes: &mut [u8]) -> std::io::Result<usize> {
        let length = bytes.len().min(self.1);
        self.0.read(&mut bytes[..length])
    }
}

#[test]
fn a_file_is_the_same_in_pieces_of_any_size() {
    let text = "\u{feff}name,points\r\nZoë,1\r\n\r\n\"👩 李\",x\r\n";
    let utf_16: Vec<_> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
    for bytes in [text.as_bytes(), &utf_16] {
        for size in 1..9 {
            let mut lines = Vec::new();
            let mut each = |item: Item<'_>| {
                if let Item::Record(record) = item {
                    lines.push((
                        record.line,
                        record.get(Column::Username).shown().into_owned(),
                    ));
                }
                ControlFlow::Continue(())
            };
            csv::read(Pieces(bytes, size), &[], &mut each).unwrap();
            assert_eq!(
                lines,
                [(2, "Zoë".to_owned()), (4, "👩 李".to_owned())],
                "{size}"
            );
        }
    }
}

#[test]
fn names_that_an_export_has_made_texts_are_as_they_were() {
    check(
        Form::Table,
        "name,points\n'=1+1,1\n'+49 30 1,2\n\"''=x\",3\n'-Max-,-5\n't Hooft,6\n",
        &[
            "2 by name =1+1",
            "3 by name +49 30 1",
            "4 by name '=x",
            "5 by name -Max-",
            "6 by name 't Hooft",
        ],
    );
    // Where nobody has made them so, they are what they are.
    check(
        Form::Lines,
        r#"{"name": "'=1+1", "points": 1}"#,
        &["1 by name '=1+1"],
    );
}

/// How a program may write a table.
#[derive(Clone, Debug)]
struct Dialect {
    separator: char,
    end: &'static str,
    is_quoted: bool,
    says_separator: bool,
    encoding: Utf,
    blank_lines: usize,
    trailing: usize,
    ends: bool,
}

#[derive(Clone, Copy, Debug)]
enum Utf {
    Eight,
    EightWithMark,
    SixteenLe,
    SixteenBe,
}

fn dialect() -> impl Strategy<Value = Dialect> {
    let separator = prop::sample::select(vec![',', ';', '\t', '|']);
    let end = prop::sample::select(vec!["\n", "\r\n", "\r"]);
    let encoding = prop::sample::select(vec![
        Utf::Eight,
        Utf::EightWithMark,
        Utf::SixteenLe,
        Utf::SixteenBe,
    ]);
    let rest = (
        any::<bool>(),
        any::<bool>(),
        any::<bool>(),
        0..3_usize,
        0..3_usize,
    );
    (separator, end, encoding, rest).prop_map(
        |(separator, end, encoding, (is_quoted, says_separator, ends, blank_lines, trailing))| {
            Dialect {
                separator,
                end,
                is_quoted,
                says_separator,
                encoding,
                blank_lines,
                trailing,
                ends,
            }
        },
    )
}

impl Dialect {
    /// The bytes of a table, and in which line each of its rows begins.
    fn write(&self, rows: &[Vec<String>]) -> (Vec<u8>, Vec<u64>) {
        let mut text = String::new();
        let mut line = 1;
        let mut lines = Vec::new();
        if self.says_separator {
            text += &format!("sep={}{}", self.separator, self.end);
            line += 1;
        }
        for (number, row) in rows.iter().enumerate() {
            let blank = if number > 0 { self.blank_lines } else { 0 };
            text += &self.end.repeat(blank);
            lines.push(line + blank as u64);
            let fields = row.iter().map(|field| self.field(field));
            let fields = fields.chain(vec![String::new(); self.trailing]);
            let fields: Vec<_> = fields.collect();
            let row = fields.join(&self.separator.to_string());
            line = lines[number] + 1 + row.matches(self.end).count() as u64;
            text += &row;
            if self.ends || number + 1 < rows.len() {
                text += self.end;
            }
        }
        (self.encode(&text), lines)
    }

    fn field(&self, field: &str) -> String {
        let field = field.replace('\n', self.end);
        let special = |c: char| SPECIAL.contains(c);
        if self.is_quoted || field.contains(special) {
            format!("\"{}\"", field.replace('"', "\"\""))
        } else {
            field
        }
    }

    fn encode(&self, text: &str) -> Vec<u8> {
        let units = || "\u{feff}".encode_utf16().chain(text.encode_utf16());
        match self.encoding {
            Utf::Eight => text.into(),
            Utf::EightWithMark => format!("\u{feff}{text}").into(),
            Utf::SixteenLe => units().flat_map(u16::to_le_bytes).collect(),
            Utf::SixteenBe => units().flat_map(u16::to_be_bytes).collect(),
        }
    }
}

const SPECIAL: &str = ",;\t|\"\r\n";

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_table_is_the_same_in_every_dialect(
        dialect in dialect(),
        rows in prop::collection::vec(
            ("[a-zA-Zäëß李👩,;|\"']{1,12}", "[ a-z\n\",;|]{0,20}", -1_000_000_i64..1_000_000),
            1..12,
        ),
    ) {
        let mut table = vec![vec!["Name".into(), "notes".into(), "Points".into()]];
        table.extend(rows.iter().map(|(name, notes, points)| {
            vec![name.clone(), notes.clone(), points.to_string()]
        }));
        let (bytes, lines) = dialect.write(&table);
        let expected: Vec<_> = lines[1..]
            .iter()
            .zip(&rows)
            .map(|(line, (name, _, points))| format!("{line} by name {name} /result {points:+}"))
            .collect();
        prop_assert_eq!(said(Form::Table, &bytes), expected);
    }

    #[test]
    fn no_bytes_make_a_reader_fail_in_another_way(
        bytes in prop::collection::vec(any::<u8>(), 0..400),
    ) {
        for form in [Form::Table, Form::Lines, Form::Workbook] {
            said(form, &bytes);
            let header = [b"name,points,notes\n", &*bytes].concat();
            said(form, &header);
        }
    }
}
