"""Run with `python -m unittest tests/test_agent.py`"""

import unittest

import agent


class AgentTest(unittest.TestCase):
    def test_counts_what_is_in_the_text(self) -> None:
        report = agent.main({"text": "One cat. Two cats saw one cat!", "top": 1})

        self.assertEqual(report["sentences"], 2)
        self.assertEqual(report["words"], 7)
        self.assertEqual(report["top_words"], ["one"])
        self.assertEqual(report["longest_sentence"], "Two cats saw one cat!")

    def test_works_without_input(self) -> None:
        self.assertGreater(agent.main({})["words"], 0)
