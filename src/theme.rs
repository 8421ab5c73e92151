//! Named roles to styles: themes as data, with inheritance and colour depth.
