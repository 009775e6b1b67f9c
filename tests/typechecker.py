"""How signatures are checked at run time: by beartype, with PEP 484's rule that a whole number will do for a float."""

from beartype import BeartypeConf, beartype

check = beartype(conf=BeartypeConf(is_pep484_tower=True))
