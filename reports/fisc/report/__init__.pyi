from .blocks import Figure as Figure
from .blocks import Section as Section
from .blocks import Table as Table
from .ledger import Ledger as Ledger
from .page import Report as Report
from .prose import plain as plain
from .publishing import publish as publish
from .result import Result as Result
