"""Which sentences matter: tf-idf centrality, nearness to the question, and no two that say the same."""

from __future__ import annotations

import math
import re
from collections import Counter, defaultdict
from collections.abc import Sequence

Terms = dict[str, float]

_WORD = re.compile(r"[^\W\d_][\w'-]+")
_STOP = frozenset(
    [
        "a",
        "about",
        "above",
        "after",
        "again",
        "all",
        "also",
        "an",
        "and",
        "any",
        "are",
        "as",
        "at",
        "be",
        "because",
        "been",
        "before",
        "being",
        "below",
        "between",
        "both",
        "but",
        "by",
        "can",
        "cannot",
        "could",
        "did",
        "do",
        "does",
        "doing",
        "don't",
        "down",
        "during",
        "each",
        "etc",
        "few",
        "for",
        "from",
        "further",
        "had",
        "has",
        "have",
        "having",
        "he",
        "her",
        "here",
        "hers",
        "him",
        "his",
        "how",
        "i",
        "if",
        "in",
        "into",
        "is",
        "it",
        "its",
        "itself",
        "just",
        "let",
        "like",
        "many",
        "may",
        "me",
        "might",
        "more",
        "most",
        "must",
        "my",
        "no",
        "nor",
        "not",
        "now",
        "of",
        "off",
        "on",
        "once",
        "one",
        "only",
        "or",
        "other",
        "our",
        "out",
        "over",
        "own",
        "per",
        "please",
        "same",
        "see",
        "she",
        "should",
        "since",
        "so",
        "some",
        "such",
        "than",
        "that",
        "the",
        "their",
        "them",
        "then",
        "there",
        "these",
        "they",
        "this",
        "those",
        "through",
        "to",
        "too",
        "under",
        "until",
        "up",
        "use",
        "used",
        "using",
        "very",
        "via",
        "was",
        "we",
        "well",
        "were",
        "what",
        "when",
        "where",
        "which",
        "while",
        "who",
        "whom",
        "why",
        "will",
        "with",
        "within",
        "without",
        "would",
        "you",
        "your",
    ]
)
_QUESTION_WEIGHT = 0.6
_LEAD_WEIGHT = 0.5
_REPEAT_WEIGHT = 0.7


def rank(sentences: Sequence[str], question: str, count: int, *, lead_first: bool) -> list[int]:
    """Indexes of the `count` best sentences, best first, chosen so that they differ from one another.

    A sentence scores by its nearness to all the others (their centroid) and to the question; with
    `lead_first` also by how early it stands, for within a document authors say first what matters most.
    """
    vectors = _vectors([*sentences, question])
    asked = vectors.pop()
    centre = _normal(_sum(vectors))
    lead_weight = _LEAD_WEIGHT if lead_first else 0.0
    scores = [
        _dot(vector, centre) + _QUESTION_WEIGHT * _dot(vector, asked) + lead_weight / math.sqrt(1 + place)
        for place, vector in enumerate(vectors)
    ]
    chosen: list[int] = []
    while len(chosen) < min(count, len(vectors)):
        left = (place for place in range(len(vectors)) if place not in chosen)
        chosen.append(max(left, key=lambda place: _marginal(place, scores, vectors, chosen)))
    return chosen


def _marginal(place: int, scores: Sequence[float], vectors: Sequence[Terms], chosen: Sequence[int]) -> float:
    repeated = max((_dot(vectors[place], vectors[other]) for other in chosen), default=0.0)
    return scores[place] - _REPEAT_WEIGHT * repeated


def _vectors(texts: Sequence[str]) -> list[Terms]:
    counts = [Counter(_terms(text)) for text in texts]
    spread = Counter(term for count in counts for term in count)
    return [
        _normal({term: (1 + math.log(n)) * math.log(1 + len(texts) / spread[term]) for term, n in count.items()})
        for count in counts
    ]


def _terms(text: str) -> list[str]:
    words = (word.lower().strip("'-") for word in _WORD.findall(text))
    # Dropping a plural s is all the stemming that short texts need to meet one another.
    return [word[:-1] if len(word) > 4 and word.endswith("s") else word for word in words if word not in _STOP]


def _sum(vectors: Sequence[Terms]) -> Terms:
    total: Terms = defaultdict(float)
    for vector in vectors:
        for term, weight in vector.items():
            total[term] += weight
    return total


def _normal(vector: Terms) -> Terms:
    length = math.sqrt(sum(weight * weight for weight in vector.values()))
    return {term: weight / length for term, weight in vector.items()} if length else {}


def _dot(left: Terms, right: Terms) -> float:
    if len(left) > len(right):
        left, right = right, left
    return sum(weight * right.get(term, 0.0) for term, weight in left.items())
