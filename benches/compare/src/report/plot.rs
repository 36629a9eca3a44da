//! SVG plots, whose text is drawn by whoever shows them.

use std::{fs, ops::Range, path::Path};

use plotters::{
    coord::{
        combinators::{BindKeyPoints, IntoLogRange},
        ranged1d::{AsRangedCoord, ValueFormatter},
    },
    prelude::*,
    style::text_anchor::{HPos, Pos, VPos},
};

use super::short;
use crate::measure::Row;

/// One file of the page.
pub(crate) struct Plot {
    pub(crate) file: &'static str,
    pub(crate) title: &'static str,
    x: &'static str,
    y: &'static str,
    /// The workloads whose rows are lines.
    workloads: &'static [&'static str],
    /// Whether ten times as much is one step up.
    logarithmic: bool,
}

const PLOTS: [Plot; 6] = [
    Plot {
        file: "get-100B.svg",
        title: "get of 100 bytes",
        x: "tasks",
        y: "calls per second",
        workloads: &["get/100B"],
        logarithmic: true,
    },
    Plot {
        file: "patterns-time.svg",
        title: "Calls that take a pattern: time",
        x: "keys",
        y: "seconds",
        workloads: &["growth/scan time", "growth/delete_pattern time"],
        logarithmic: true,
    },
    Plot {
        file: "patterns-memory.svg",
        title: "Calls that take a pattern: memory of the client",
        x: "keys",
        y: "MiB above idle, at the peak",
        workloads: &["growth/scan memory", "growth/delete_pattern memory"],
        logarithmic: false,
    },
    Plot {
        file: "get-many.svg",
        title: "One get_many",
        x: "keys",
        y: "milliseconds",
        workloads: &["growth/get_many"],
        logarithmic: true,
    },
    Plot {
        file: "flights-time.svg",
        title: "Loads at the same time, each of another key: time",
        x: "keys",
        y: "microseconds per key",
        workloads: &["growth/flights time"],
        logarithmic: true,
    },
    Plot {
        file: "flights-memory.svg",
        title: "Loads at the same time, each of another key: memory",
        x: "keys",
        y: "bytes per key, at the peak",
        workloads: &["growth/flights memory"],
        logarithmic: false,
    },
];

const SIZE: (u32, u32) = (860, 460);
const LEGEND: u32 = 210;
const COLOURS: [RGBColor; 10] = [
    RGBColor(0xd6, 0x27, 0x28),
    RGBColor(0x1f, 0x77, 0xb4),
    RGBColor(0x2c, 0xa0, 0x2c),
    RGBColor(0xff, 0x7f, 0x0e),
    RGBColor(0x94, 0x67, 0xbd),
    RGBColor(0x8c, 0x56, 0x4b),
    RGBColor(0xe3, 0x77, 0xc2),
    RGBColor(0x17, 0xbe, 0xcf),
    RGBColor(0xbc, 0xbd, 0x22),
    RGBColor(0x7f, 0x7f, 0x7f),
];

struct Line {
    name: String,
    /// By the order in the rows, which begin with larder, so that a contender looks alike in every plot.
    colour: RGBColor,
    points: Vec<(f64, f64)>,
}

/// Writes every plot whose rows were measured, and answers which.
pub(crate) fn write(folder: &Path, rows: &[Row]) -> Result<Vec<Plot>, String> {
    fs::create_dir_all(folder).map_err(|error| format!("docs/benchmarks: {error}"))?;
    let mut written = Vec::new();
    for plot in PLOTS {
        let lines = lines(&plot, rows);
        if lines.iter().any(|line| line.points.len() > 1) {
            let svg = draw(&plot, &lines).map_err(|error| format!("{}: {error}", plot.file))?;
            fs::write(folder.join(plot.file), svg).map_err(|error| format!("{}: {error}", plot.file))?;
            written.push(plot);
        }
    }
    Ok(written)
}

fn lines(plot: &Plot, rows: &[Row]) -> Vec<Line> {
    let mut lines: Vec<Line> = Vec::new();
    for row in rows
        .iter()
        .filter(|row| plot.workloads.contains(&row.workload.as_str()))
    {
        let name = if plot.workloads.len() > 1 {
            let call = row.workload.trim_start_matches("growth/");
            call.split(' ').next().unwrap_or(call).to_owned()
        } else {
            row.contender.clone()
        };
        let point = (row.tasks as f64, row.median);
        match lines.iter_mut().find(|line| line.name == name) {
            Some(line) => line.points.push(point),
            None => lines.push(Line {
                name,
                colour: COLOURS[lines.len() % COLOURS.len()],
                points: vec![point],
            }),
        }
    }
    // The legend is read from above as the lines are at their ends.
    lines.sort_by(|a, b| end(b).total_cmp(&end(a)));
    lines
}

fn end(line: &Line) -> f64 {
    line.points.last().map_or(0.0, |point| point.1)
}

fn draw(plot: &Plot, lines: &[Line]) -> Result<String, Box<dyn std::error::Error>> {
    let points = || lines.iter().flat_map(|line| &line.points);
    let lowest = points().map(|point| point.1).fold(f64::INFINITY, f64::min);
    let highest = points().map(|point| point.1).fold(0.0, f64::max);
    if plot.logarithmic {
        let range = lowest * 0.7..highest * 1.4;
        draw_on(plot, lines, range.clone().log_scale().with_key_points(ticks(&range)))
    } else {
        draw_on(plot, lines, 0.0..(highest * 1.2).max(1.0))
    }
}

/// 1, 2 and 5 of every power of ten within the range, and the powers alone where it is long.
fn ticks(range: &Range<f64>) -> Vec<f64> {
    let steps: &[f64] = if range.end / range.start > 1e3 {
        &[1.0]
    } else {
        &[1.0, 2.0, 5.0]
    };
    let powers = (-9..16).map(|power| 10_f64.powi(power));
    let all = powers.flat_map(|power| steps.iter().map(move |step| step * power));
    all.filter(|tick| range.contains(tick)).collect()
}

fn draw_on<Y>(plot: &Plot, lines: &[Line], y: Y) -> Result<String, Box<dyn std::error::Error>>
where
    Y: AsRangedCoord<Value = f64>,
    Y::CoordDescType: ValueFormatter<f64>,
{
    let points = || lines.iter().flat_map(|line| &line.points);
    let least = points().map(|point| point.0).fold(f64::INFINITY, f64::min);
    let most = points().map(|point| point.0).fold(0.0, f64::max);
    let across = least * 0.8..most * 1.25;
    let mut svg = String::new();
    {
        let root = SVGBackend::with_string(&mut svg, SIZE).into_drawing_area();
        root.fill(&WHITE)?;
        let (left, legend) = root.split_horizontally(SIZE.0 - LEGEND);
        let mut chart = ChartBuilder::on(&left)
            .caption(plot.title, ("sans-serif", 20))
            .margin(14)
            .x_label_area_size(48)
            .y_label_area_size(78)
            .build_cartesian_2d(across.clone().log_scale().with_key_points(ticks(&across)), y)?;
        chart
            .configure_mesh()
            .light_line_style(TRANSPARENT)
            .bold_line_style(BLACK.mix(0.12))
            .label_style(("sans-serif", 14))
            .axis_desc_style(("sans-serif", 15))
            .x_desc(plot.x)
            .y_desc(plot.y)
            .x_label_formatter(&|x| short(*x))
            .y_label_formatter(&|y| short(*y))
            .draw()?;
        for (which, line) in lines.iter().enumerate() {
            let colour = line.colour;
            chart.draw_series(LineSeries::new(line.points.iter().copied(), colour.stroke_width(2)))?;
            chart.draw_series(line.points.iter().map(|point| Circle::new(*point, 4, colour.filled())))?;
            let height = 60 + 24 * i32::try_from(which)?;
            legend.draw(&PathElement::new([(4, height), (28, height)], colour.stroke_width(2)))?;
            legend.draw(&Circle::new((16, height), 4, colour.filled()))?;
            let style = ("sans-serif", 14)
                .into_font()
                .color(&BLACK)
                .pos(Pos::new(HPos::Left, VPos::Center));
            legend.draw(&Text::new(line.name.clone(), (36, height), style))?;
        }
        root.present()?;
    }
    Ok(svg)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plot_names_its_axes_and_its_lines() {
        let rows: Vec<Row> = [
            ("larder", 1, 10.0),
            ("larder", 16, 90.0),
            ("other", 1, 9.0),
            ("other", 16, 50.0),
        ]
        .map(|(contender, tasks, rate)| Row::of("get/100B", tasks, contender, "calls/s", vec![rate]))
        .into();
        let svg = draw(&PLOTS[0], &lines(&PLOTS[0], &rows)).unwrap();
        for text in ["get of 100 bytes", "tasks", "calls per second", "larder", "other"] {
            assert!(svg.contains(text), "{text}");
        }
        // Each line and its mark in the legend.
        let thick = svg
            .lines()
            .filter(|line| line.starts_with("<polyline") && line.contains("stroke-width=\"2\""));
        assert_eq!(thick.count(), 4);
    }
}
