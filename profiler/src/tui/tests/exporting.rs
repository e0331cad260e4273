//! What is shown, written to a file.

use super::*;

fn app_that_exports() -> App {
    let mut app = App::new(Options {
        export: Some(|_, selection, inverted, path| {
            let pids = &selection.pids;
            match path.ends_with("no.svg") {
                true => anyhow::bail!("cannot write no.svg\nand more \x1b[2J"),
                false => Ok(format!("wrote {} {pids:?} {inverted}", path.display())),
            }
        }),
        ..Options::default()
    });
    app.absorb(delta(web()));
    app.refresh();
    app
}

#[test]
fn the_file_is_named_while_one_looks_and_has_what_is_shown() {
    let mut app = app_that_exports();
    press(&mut app, "2jf1e");
    let drawn = screen(&mut app, 80, 24);
    assert!(drawn.contains("export to: top.svg"), "{drawn}");
    press(&mut app, "z\n");
    let drawn = screen(&mut app, 80, 24);
    assert!(drawn.contains("wrote top.svgz [2201] false"), "{drawn}");
    press(&mut app, "e");
    app.update(Action::EraseAll);
    press(&mut app, "no.svg\n");
    let drawn = screen(&mut app, 80, 24);
    assert!(
        drawn.contains("cannot write no.svg") && !drawn.contains("and more"),
        "{drawn}"
    );
    press(&mut app, "e\x1bq");
    assert!(app.quit && app.naming.is_none());
}
