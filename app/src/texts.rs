//! Every text of the page, in every language. One table, so that another language
//! is one more column, and a text that lacks it does not compile.
//!
//! The browser gets the texts of one language with the page: no other is downloaded.

/// Declares [`Text`], and for the server its translations.
macro_rules! texts {
    ($($name:ident: $en:literal, $de:literal, $es:literal;)*) => {
        /// A text of the page. `{n}`, `{name}`, `{other}` and `{rank}` are replaced by
        /// values.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Text {
            $(#[allow(missing_docs)] $name,)*
        }

        #[cfg(feature = "ssr")]
        const ENGLISH: &[&str] = &[$($en,)*];
        #[cfg(feature = "ssr")]
        const GERMAN: &[&str] = &[$($de,)*];
        #[cfg(feature = "ssr")]
        const SPANISH: &[&str] = &[$($es,)*];
    };
}

texts! {
    Leaderboard: "Leaderboard", "Rangliste", "Clasificación";
    SkipToBoard: "Skip to the board", "Zur Rangliste springen", "Ir a la clasificación";
    OnePlayer: "1 player", "1 Person spielt mit", "1 participante";
    Players: "{n} players", "{n} spielen mit", "{n} participantes";
    OneTeam: "1 team", "1 Team", "1 equipo";
    Teams: "{n} teams", "{n} Teams", "{n} equipos";
    Connecting: "Connecting", "Verbindet", "Conectando";
    Live: "Live", "Live", "En directo";
    Offline: "Offline", "Offline", "Sin conexión";
    NotLive: "Not live", "Nicht live", "No en directo";
    Refreshing: "This page is not live. It refreshes itself every few seconds.", "Diese Seite ist nicht live. Sie aktualisiert sich alle paar Sekunden selbst.", "Esta página no está en directo. Se actualiza sola cada pocos segundos.";
    Crowded: "Too many pages are open here, so this one is not live. It refreshes itself every few seconds.", "Hier sind zu viele Seiten offen, deshalb ist diese nicht live. Sie aktualisiert sich alle paar Sekunden selbst.", "Hay demasiadas páginas abiertas aquí, así que esta no está en directo. Se actualiza sola cada pocos segundos.";
    LiveIn: "It will be live in about {n}.", "Live ist sie in etwa {n}.", "Estará en directo en unos {n}.";
    Paused: "Paused", "Angehalten", "En pausa";
    Old: "{n} old", "{n} alt", "hace {n}";
    NotLiveSince: "Not live since {n}", "Nicht live seit {n}", "Sin datos en directo desde las {n}";
    DelayTitle: "From the action to your screen", "Von der Aktion bis zu diesem Bildschirm", "De la acción a tu pantalla";
    Pause: "Pause", "Anhalten", "Pausar";
    Resume: "Resume", "Fortsetzen", "Reanudar";
    Waiting: "Waiting: {n}", "Wartend: {n}", "En espera: {n}";
    Messages: "Messages", "Meldungen", "Mensajes";
    NoMessages: "No messages yet", "Noch keine Meldungen", "Aún no hay mensajes";
    Dismiss: "Dismiss", "Schließen", "Cerrar";
    CompareFromNow: "Compare from now", "Ab jetzt vergleichen", "Comparar desde ahora";
    PlacesSince: "Places won and lost since {n}", "Gewonnene und verlorene Plätze seit {n}", "Puestos ganados y perdidos desde las {n}";
    PlacesSinceOpened: "Places won and lost since you opened this page", "Gewonnene und verlorene Plätze, seit diese Seite offen ist", "Puestos ganados y perdidos desde que abriste la página";
    Up: " up", " nach oben", " hacia arriba";
    Down: " down", " nach unten", " hacia abajo";
    Points: " points", " Punkte", " puntos";
    Behind: "{n} behind", "{n} zurück", "a {n}";
    Level: "level", "gleichauf", "empatado";
    NewLeader: "New leader", "Neue Führung", "Nuevo líder";
    You: "You", "Du", "Tú";
    Place: "Place", "Platz", "Puesto";
    Score: "Points", "Punkte", "Puntos";
    Result: "Result", "Ergebnis", "Resultado";
    ToGain: "{n} to pass {name} (#{rank})", "{n} bis vor {name} (#{rank})", "{n} para pasar a {name} (n.º {rank})";
    Cushion: "{n} ahead of {name}", "{n} vor {name}", "{n} por delante de {name}";
    PassedYou: "{name} passed you: {n} to regain #{rank}", "{name} hat dich überholt: {n} bis zurück auf #{rank}", "{name} te ha adelantado: {n} para recuperar el n.º {rank}";
    OnePoint: "1 point", "1 Punkt", "1 punto";
    SomePoints: "{n} points", "{n} Punkte", "{n} puntos";
    InTheLead: "You are in the lead", "Du führst", "Vas en cabeza";
    AroundYou: "Around you", "Um dich herum", "A tu alrededor";
    SignOut: "Sign out", "Abmelden", "Cerrar sesión";
    LinkFailed: "This sign-in link is not valid, or has expired. Ask for a new one; until then you can watch.", "Dieser Anmelde-Link ist ungültig oder abgelaufen. Bitte um einen neuen; bis dahin kannst du zusehen.", "Este enlace de acceso no es válido o ha caducado. Pide uno nuevo; mientras tanto puedes mirar.";
    NobodyYet: "Nobody is on the board yet", "Noch steht niemand auf der Rangliste", "Todavía no hay nadie en la clasificación";
    NoResults: "Nobody has a result yet", "Noch hat niemand ein Ergebnis", "Todavía nadie tiene un resultado";
    FirstAppear: "The first players appear here by themselves.", "Wer zuerst punktet, erscheint hier von selbst.", "Los primeros participantes aparecerán aquí solos.";
    NoneHere: "Nobody is this far down", "So weit unten steht niemand", "Nadie llega tan abajo";
    StartsAt: "Start: {n}", "Beginn: {n}", "Comienzo: {n}";
    BeforeStart: "Scores of warming up may still change.", "Punkte vom Aufwärmen können sich noch ändern.", "Los puntos del calentamiento aún pueden cambiar.";
    Summary: "{name} leads: {n}.", "{name} führt: {n}.", "{name} va en cabeza: {n}.";
    TryAgain: "Try again in a moment.", "Versuche es gleich noch einmal.", "Inténtalo de nuevo en un momento.";
    YouAre: "You are #{rank}.", "Du bist #{rank}.", "Vas el n.º {rank}.";
    AllPlayers: "All players", "Alle", "Todos";
    AllTeams: "All teams", "Alle Teams", "Todos los equipos";
    TheTop: "The top", "Die Spitze", "Los primeros";
    Pages: "Pages", "Seiten", "Páginas";
    NextPage: "Next page", "Nächste Seite", "Página siguiente";
    PreviousPage: "Previous page", "Vorige Seite", "Página anterior";
    Places: "Places {n}", "Plätze {n}", "Puestos {n}";
    FindPlayer: "Find a player", "Jemanden finden", "Buscar a alguien";
    Search: "Search", "Suchen", "Buscar";
    NoneFound: "Nobody’s name has a word that begins like this.", "In keinem Namen beginnt ein Wort so.", "Ningún nombre tiene una palabra que empiece así.";
    MoreFound: "There are more: write a longer beginning.", "Es gibt mehr: Gib einen längeren Anfang ein.", "Hay más: escribe un comienzo más largo.";
    Race: "The race so far", "Das Rennen bisher", "La carrera hasta ahora";
    RaceLabel: "Points of the first ten over time", "Punkte der ersten zehn im Verlauf der Zeit", "Puntos de los diez primeros a lo largo del tiempo";
    AsTable: "As a table", "Als Tabelle", "Como tabla";
    Time: "Time", "Zeit", "Hora";
    ScoreOverTime: "Points over time", "Punkte im Verlauf der Zeit", "Puntos a lo largo del tiempo";
    ResultLabel: "Results of the first ten over time", "Ergebnisse der ersten zehn im Verlauf der Zeit", "Resultados de los diez primeros a lo largo del tiempo";
    ResultOverTime: "Result over time", "Ergebnis im Verlauf der Zeit", "Resultado a lo largo del tiempo";
    RecentActions: "Recent actions", "Letzte Aktionen", "Acciones recientes";
    Action: "Action", "Aktion", "Acción";
    Change: "Change", "Änderung", "Cambio";
    BestPlace: "Best place", "Bester Platz", "Mejor puesto";
    Actions: "Actions", "Aktionen", "Acciones";
    NoPast: "What was before cannot be shown now", "Was vorher war, kann gerade nicht gezeigt werden", "Lo anterior no se puede mostrar ahora";
    NoActions: "No actions yet", "Noch keine Aktionen", "Aún no hay acciones";
    Boards: "Boards", "Ranglisten", "Clasificaciones";
    AllBoards: "All boards", "Alle Ranglisten", "Todas las clasificaciones";
    Season: "Season {n}", "Saison {n}", "Temporada {n}";
    Week: "Week {n}", "Woche {n}", "Semana {n}";
    Ends: "ends", "Ende:", "termina:";
    Ended: "ended", "beendet:", "terminó:";
    ToTheBoard: "To the board", "Zur Rangliste", "A la clasificación";
    NotFound: "Nothing here", "Hier ist nichts", "Aquí no hay nada";
    NotFoundMore: "This address leads to no page.", "Diese Adresse führt zu keiner Seite.", "Esta dirección no lleva a ninguna página.";
    Unavailable: "The page cannot be shown now", "Die Seite kann gerade nicht gezeigt werden", "La página no se puede mostrar ahora";
    StopRefreshing: "Stop refreshing", "Nicht mehr neu laden", "Dejar de recargar";
    KeepRefreshing: "Refresh every {n} seconds", "Alle {n} Sekunden neu laden", "Recargar cada {n} segundos";
    NotLiveRefreshed: "Not live. This page refreshes itself every {n} seconds.", "Nicht live. Diese Seite lädt sich alle {n} Sekunden neu.", "No es en directo. Esta página se recarga sola cada {n} segundos.";
    NotLiveNorRefreshed: "Not live. The board is not refreshed here.", "Nicht live. Die Rangliste wird hier nicht erneuert.", "No es en directo. Aquí la clasificación no se actualiza.";
    TriesAgain: "This page tries again by itself in a moment.", "Diese Seite versucht es gleich von selbst noch einmal.", "Esta página lo vuelve a intentar sola en un momento.";
    Language: "Language", "Sprache", "Idioma";
    SwitchPlayer: "Sign in as somebody else?", "Als jemand anderes anmelden?", "¿Entrar como otra persona?";
    SwitchPlayerMore: "You are signed in as {name}. The link that you opened is for {other}. If you did not expect it, stay as you are.", "Du bist als {name} angemeldet. Der Link, den du geöffnet hast, ist für {other}. Wenn du ihn nicht erwartet hast, bleib, wer du bist.", "Has entrado como {name}. El enlace que has abierto es para {other}. Si no lo esperabas, sigue como estás.";
    SwitchTo: "Sign in as {name}", "Als {name} anmelden", "Entrar como {name}";
    StayAs: "Stay {name}", "{name} bleiben", "Seguir como {name}";
    NoBoard: "There is no board {name}.", "Es gibt keine Rangliste {name}.", "No hay ninguna clasificación {name}.";
    PerhapsSignIn: "Or it is only for people who have signed in.", "Oder sie ist nur für Angemeldete.", "O es solo para quienes han entrado.";
    SignInLink: "If you were given a sign-in link, open it.", "Wenn du einen Anmelde-Link bekommen hast, öffne ihn.", "Si te han dado un enlace de acceso, ábrelo.";
    SignIn: "Sign in to see this board", "Melde dich an, um diese Rangliste zu sehen", "Entra para ver esta clasificación";
    FinalStandings: "Final standings", "Endstand", "Clasificación final";
    PreviousSeason: "Previous season", "Vorige Saison", "Temporada anterior";
    NextSeason: "Next season", "Nächste Saison", "Temporada siguiente";
    AsFile: "As a table (CSV)", "Als Tabelle (CSV)", "Como tabla (CSV)";
    NoBoards: "There is no board that everybody may see.", "Es gibt keine Rangliste, die alle sehen dürfen.", "No hay ninguna clasificación que todos puedan ver.";
    NoResult: "Nobody had a result.", "Niemand hatte ein Ergebnis.", "Nadie tuvo un resultado.";
    SignInMore: "It is only for people who have signed in.", "Sie ist nur für Angemeldete.", "Es solo para quienes han entrado.";
    Members: "Members", "Mitglieder", "Miembros";
    Name: "Name", "Name", "Nombre";
    SecondScore: "Second score", "Zweite Wertung", "Segunda puntuación";
    BestCount: "The best {n} count", "Es zählen die besten {n}", "Cuentan los mejores {n}";
    Counts: "Counts", "Zählt", "Cuenta";
    Yes: "Yes", "Ja", "Sí";
    No: "No", "Nein", "No";
}

/// A language of the page.
#[cfg(feature = "ssr")]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[allow(missing_docs)]
pub enum Language {
    #[default]
    English,
    German,
    Spanish,
}

#[cfg(feature = "ssr")]
impl Language {
    /// All of them, as they are offered.
    pub const ALL: [Language; 3] = [Language::English, Language::German, Language::Spanish];

    /// BCP 47.
    pub fn code(self) -> &'static str {
        match self {
            Language::English => "en",
            Language::German => "de",
            Language::Spanish => "es",
        }
    }

    /// The language of this code.
    pub fn of(code: &str) -> Option<Language> {
        Language::ALL.into_iter().find(|it| it.code() == code)
    }

    /// Its name, in itself.
    pub fn name(self) -> &'static str {
        match self {
            Language::English => "English",
            Language::German => "Deutsch",
            Language::Spanish => "Español",
        }
    }

    /// Its texts, in the order of [`Text`].
    pub fn texts(self) -> &'static [&'static str] {
        match self {
            Language::English => ENGLISH,
            Language::German => GERMAN,
            Language::Spanish => SPANISH,
        }
    }

    /// The separator of groups of digits (CLDR 47, `numbers/symbols/group`).
    pub fn separator(self) -> &'static str {
        match self {
            Language::English => ",",
            Language::German | Language::Spanish => ".",
        }
    }

    /// The fewest digits before the first separator (CLDR 47,
    /// `minimumGroupingDigits`).
    pub fn least_before(self) -> usize {
        match self {
            Language::Spanish => 2,
            Language::English | Language::German => 1,
        }
    }

    /// The locale of a page in this language.
    pub fn locale(self) -> Locale {
        Locale {
            code: self.code().into(),
            separator: self.separator().into(),
            least_before: self.least_before() as u64,
            texts: self.texts().iter().map(|&text| text.into()).collect(),
        }
    }
}

/// The language of a page: its texts, and the format of its numbers.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Locale {
    /// BCP 47.
    pub code: String,
    /// The separator of groups of three digits.
    pub separator: String,
    /// The fewest digits before the first separator.
    pub least_before: u64,
    /// In the order of [`Text`].
    pub texts: Vec<String>,
}

impl Locale {
    /// The text.
    pub fn text(&self, text: Text) -> String {
        self.texts.get(text as usize).cloned().unwrap_or_default()
    }

    /// The text with a value in place of each `{key}`. Values are not searched for keys:
    /// a name may hold any text.
    pub fn with(&self, text: Text, values: &[(&str, &str)]) -> String {
        let text = self.text(text);
        let mut parts = text.split('{');
        let mut result = parts.next().unwrap_or_default().to_owned();
        for part in parts {
            let (key, rest) = part.split_once('}').unwrap_or((part, ""));
            let value = values.iter().find(|(name, _)| *name == key);
            result.push_str(value.map_or("", |(_, value)| value));
            result.push_str(rest);
        }
        result
    }
}

#[cfg(all(test, feature = "ssr"))]
mod tests {
    use super::*;

    #[test]
    fn digits_come_in_threes() {
        let [english, german, spanish] = Language::ALL.map(Language::locale);
        assert_eq!(english.number(0), "0");
        assert_eq!(english.number(999), "999");
        assert_eq!(english.number(1_000), "1,000");
        assert_eq!(german.number(-1_234_567), "−1.234.567");
        assert_eq!(spanish.number(1_234), "1234");
        assert_eq!(spanish.number(12_345), "12.345");
        assert_eq!(english.number(i64::MIN).chars().next(), Some('−'));
    }

    #[test]
    fn values_are_not_searched_for_keys() {
        let english = Language::English.locale();
        let values = [("name", "{n}"), ("n", "7")];
        let text = english.with(Text::Summary, &values);
        assert_eq!(text, "{n} leads: 7.");
    }

    #[test]
    fn every_language_asks_for_the_same_values() {
        let keys = |text: &str| {
            let mut keys: Vec<String> = text
                .split('{')
                .skip(1)
                .filter_map(|part| Some(part.split_once('}')?.0.to_owned()))
                .collect();
            keys.sort();
            keys
        };
        for language in Language::ALL {
            for (text, english) in language.texts().iter().zip(ENGLISH) {
                assert_eq!(keys(text), keys(english), "{text:?}");
            }
        }
    }
}
