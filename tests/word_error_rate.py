"""How wrong a transcript is."""


def word_errors(said: str, heard: str) -> int:
    """Count the fewest words to replace, leave out or put in that make *said* of *heard*."""
    row = list(range(len(heard.split()) + 1))
    for turn, word in enumerate(said.split(), 1):
        above, row = row, [turn]
        for column, other in enumerate(heard.split(), 1):
            row.append(min(above[column] + 1, row[-1] + 1, above[column - 1] + (word != other)))
    return row[-1]


def word_error_rate(said: str, heard: str) -> float:
    """Return the errors in *heard* for each word of *said*; 0 is perfect, and 1 is no limit."""
    return word_errors(said, heard) / len(said.split())
