//! When seasons begin and end: days, weeks and months in a time zone.
//!
//! Only borders that were computed here are on the log, so what the log says does not depend
//! on which version of the time zone database a node has. The database is the one that is
//! compiled in, whatever the machine has, and the machine's own zone counts nowhere.

use jiff::{
    ZonedDateTime,
    civil::{Date, ISOWeekDate},
    tz::{TimeZone, TimeZoneDatabase},
};

use crate::board::{Every, Period, Timestamp};

/// Seasons that a board may have had before it was made: daily ones of 27 years.
pub const MOST_SEASONS: usize = 10_000;

/// Why there is no season.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CalendarError {
    /// The zone is not in the database.
    #[error(
        "there is no time zone {0:?}: name one as the IANA database does, such as Europe/Berlin"
    )]
    UnknownZone(String),
    /// There would be more than [`MOST_SEASONS`].
    #[error("there would be more than 10,000 seasons: take a later start or a longer period")]
    TooMany,
    /// A year after 9999 or so.
    #[error("the time is outside of the calendar")]
    OutOfRange,
}

impl From<jiff::Error> for CalendarError {
    fn from(_: jiff::Error) -> CalendarError {
        CalendarError::OutOfRange
    }
}

/// When the season ends in which a moment lies: the first border after it.
///
/// # Errors
/// If the zone is unknown, or the moment is in no year that has four digits.
pub fn end_of_season(period: &Period, moment: Timestamp) -> Result<Timestamp, CalendarError> {
    let zone = zone(&period.zone)?;
    end_in(period.every, &zone, moment)
}

/// When the seasons end from the one in which `from` lies to the one in which `to` lies.
///
/// # Errors
/// If there are too many, the zone is unknown, or a moment is in no year that has four
/// digits.
pub fn ends_of_seasons(
    period: &Period,
    from: Timestamp,
    to: Timestamp,
) -> Result<Vec<Timestamp>, CalendarError> {
    let zone = zone(&period.zone)?;
    let mut ends = Vec::new();
    let mut moment = from;
    loop {
        moment = end_in(period.every, &zone, moment)?;
        ends.push(moment);
        if moment > to {
            return Ok(ends);
        }
        if ends.len() == MOST_SEASONS {
            return Err(CalendarError::TooMany);
        }
    }
}

/// What people call the season that ends then: `2026-10-24`, `2026-W43` (ISO 8601) or
/// `2026-10`.
///
/// # Errors
/// If the zone is unknown, or the moment is in no year that has four digits.
pub fn name_of_season(period: &Period, ends: Timestamp) -> Result<String, CalendarError> {
    let last = Timestamp(ends.0.saturating_sub(1));
    let date = at(&zone(&period.zone)?, last)?.date();
    Ok(match period.every {
        Every::Day => date.to_string(),
        Every::Week => {
            let week: ISOWeekDate = date.iso_week_date();
            format!("{:04}-W{:02}", week.year(), week.week())
        }
        Every::Month => format!("{:04}-{:02}", date.year(), date.month()),
    })
}

fn zone(name: &str) -> Result<TimeZone, CalendarError> {
    let database = TimeZoneDatabase::bundled();
    let zone = database.get(name);
    zone.map_err(|_| CalendarError::UnknownZone(name.into()))
}

fn at(zone: &TimeZone, moment: Timestamp) -> Result<ZonedDateTime, CalendarError> {
    let milliseconds = i64::try_from(moment.0).map_err(|_| CalendarError::OutOfRange)?;
    let moment = jiff::Timestamp::from_millisecond(milliseconds)?;
    Ok(moment.to_zoned_datetime(zone.clone()))
}

fn end_in(every: Every, zone: &TimeZone, moment: Timestamp) -> Result<Timestamp, CalendarError> {
    let today = at(zone, moment)?.date();
    let mut first = first_after(every, today)?;
    loop {
        // Where a clock is set forward at midnight, the day begins a little later.
        let begins = first.to_zoned_datetime(zone.clone())?.start_of_day()?;
        let begins = u64::try_from(begins.timestamp().as_millisecond());
        let begins = Timestamp(begins.map_err(|_| CalendarError::OutOfRange)?);
        // A zone may have left out a whole day, or may have begun one twice.
        if begins > moment {
            return Ok(begins);
        }
        first = first_after(every, first)?;
    }
}

/// The first day of the season after the one in which this day lies.
fn first_after(every: Every, date: Date) -> Result<Date, CalendarError> {
    Ok(match every {
        Every::Day => date.tomorrow()?,
        Every::Week => {
            let since_monday = date.weekday().to_monday_zero_offset();
            date.checked_add(jiff::Span::new().days(7 - i64::from(since_monday)))?
        }
        Every::Month => date.last_of_month().tomorrow()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn period(every: Every, zone: &str) -> Period {
        Period {
            every,
            zone: zone.into(),
            starts: None,
        }
    }

    fn moment(text: &str) -> Timestamp {
        let moment: jiff::Timestamp = text.parse().expect("is a time");
        Timestamp(moment.as_millisecond().cast_unsigned())
    }

    fn text(moment: Timestamp) -> String {
        let moment = jiff::Timestamp::from_millisecond(moment.0.cast_signed()).expect("fits");
        moment.to_string()
    }

    /// Name, end and hours of the season in which a moment lies.
    fn season(every: Every, zone: &str, within: &str) -> (String, String, u64) {
        let period = period(every, zone);
        let ends = end_of_season(&period, moment(within)).expect("there is one");
        let name = name_of_season(&period, ends).expect("it has a name");
        // The one before ends where this one begins.
        let mut begins = moment(within);
        while end_of_season(&period, begins) == Ok(ends) {
            begins.0 -= 3_600_000;
        }
        let begins = end_of_season(&period, begins).expect("there is one");
        (name, text(ends), (ends.0 - begins.0) / 3_600_000)
    }

    #[test]
    fn weeks_are_longer_and_shorter_where_clocks_change() {
        let berlin = |within| season(Every::Week, "Europe/Berlin", within);
        let expected = ("2026-W43".into(), "2026-10-25T23:00:00Z".into(), 169);
        assert_eq!(berlin("2026-10-20T12:00:00Z"), expected);
        assert_eq!(berlin("2026-10-18T22:00:00Z"), expected);
        assert_eq!(berlin("2026-10-25T22:59:59.999Z"), expected);
        assert_eq!(berlin("2026-10-25T23:00:00Z").0, "2026-W44");
        let expected = ("2027-W12".into(), "2027-03-28T22:00:00Z".into(), 167);
        assert_eq!(berlin("2027-03-21T23:00:00Z"), expected);
        assert_eq!(berlin("2027-03-28T21:59:59.999Z"), expected);
    }

    #[test]
    fn the_week_around_new_year_is_one() {
        let berlin = |within| season(Every::Week, "Europe/Berlin", within).0;
        assert_eq!(berlin("2026-12-31T12:00:00Z"), "2026-W53");
        assert_eq!(berlin("2027-01-02T12:00:00Z"), "2026-W53");
        assert_eq!(berlin("2027-01-04T12:00:00Z"), "2027-W01");
    }

    #[test]
    fn days_and_months_follow_the_zone() {
        let expected = ("2026-10-25".into(), "2026-10-25T23:00:00Z".into(), 25);
        assert_eq!(
            season(Every::Day, "Europe/Berlin", "2026-10-25T01:30:00Z"),
            expected
        );
        let expected = ("2026-02".into(), "2026-03-01T08:00:00Z".into(), 28 * 24);
        assert_eq!(
            season(Every::Month, "America/Los_Angeles", "2026-02-03T00:00:00Z"),
            expected
        );
        // Clocks go forward at midnight: that day begins at one.
        let beirut = season(Every::Day, "Asia/Beirut", "2026-03-28T12:00:00Z");
        assert_eq!(beirut.1, "2026-03-28T22:00:00Z");
        // Samoa had no 30 December 2011.
        let apia = season(Every::Day, "Pacific/Apia", "2011-12-30T00:00:00Z");
        assert_eq!((&*apia.0, &*apia.1), ("2011-12-29", "2011-12-30T10:00:00Z"));
    }

    #[test]
    fn seasons_follow_one_another() {
        let period = period(Every::Day, "Europe/Berlin");
        let [from, to] = ["2026-01-01T00:00:00Z", "2026-12-31T22:59:59.999Z"].map(moment);
        let ends = ends_of_seasons(&period, from, to).expect("there are");
        assert_eq!(ends.len(), 365);
        assert!(ends.is_sorted() && ends.first() > Some(&from) && ends.last() > Some(&to));
        for pair in ends.windows(2) {
            assert_eq!(end_of_season(&period, pair[0]), Ok(pair[1]));
            assert_eq!(
                end_of_season(&period, Timestamp(pair[1].0 - 1)),
                Ok(pair[1])
            );
        }
        let far = moment("2100-01-01T00:00:00Z");
        assert_eq!(
            ends_of_seasons(&period, from, far),
            Err(CalendarError::TooMany)
        );
    }

    #[test]
    fn what_is_no_zone_is_named() {
        for name in ["", "Mars/Olympus", "../../etc/passwd", "local"] {
            let error = end_of_season(&period(Every::Day, name), moment("2026-01-01T00:00:00Z"));
            assert_eq!(
                error,
                Err(CalendarError::UnknownZone(name.into())),
                "{name}"
            );
        }
    }
}
