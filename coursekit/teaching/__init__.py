"""What the teacher's commands run on: submissions, the sandbox, grades, variants, similarity.

Needs the extra ``teach``; students' notebooks import nothing of it.
"""
