"""The course as a program: set-up, notebooks, doctor, benchmark."""
