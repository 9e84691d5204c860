//! What is printed: tables, bars, colour, JSON.
