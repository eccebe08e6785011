"""Decisions about audio and text, as pure machines: no event loop, clock, Redis or logging. Time comes in
as samples or as an argument; what is to be done goes out as data."""
